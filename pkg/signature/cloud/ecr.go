package cloud

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"k8s.io/utils/clock"
)

// ecrHost is a private registry of AWS: account, region, partition. Public ones (public.ecr.aws) need no credentials.
var ecrHost = regexp.MustCompile(`^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:amazonaws\.com(?:\.cn|\.eu)?|on\.aws|on\.amazonwebservices\.com\.cn)$`)

// ecrRegistry names the region: one token is good for all registries in it that the identity may read.
func ecrRegistry(registry string) string {
	if match := ecrHost.FindStringSubmatch(registry); match != nil {
		return match[1]
	}
	return ""
}

// ecrCredentials asks for a token, which AWS gives for twelve hours.
func ecrCredentials(ctx context.Context, clock clock.PassiveClock, region string) (credentials, error) {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return credentials{}, err
	}
	answer, err := ecr.NewFromConfig(settings).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return credentials{}, err
	}
	if len(answer.AuthorizationData) == 0 || answer.AuthorizationData[0].AuthorizationToken == nil {
		return credentials{}, errors.New("it answered without a token")
	}
	data := answer.AuthorizationData[0]
	token, err := base64.StdEncoding.DecodeString(*data.AuthorizationToken)
	if err != nil {
		return credentials{}, fmt.Errorf("reading its token: %w", err)
	}
	user, password, found := strings.Cut(string(token), ":")
	if !found {
		return credentials{}, errors.New("its token is no user and password")
	}
	until := clock.Now().Add(time.Hour)
	// What is renewed at half of its life is never shown when it has just ended.
	if data.ExpiresAt != nil {
		until = clock.Now().Add(data.ExpiresAt.Sub(clock.Now()) / 2)
	}
	return credentials{auth: authn.FromConfig(authn.AuthConfig{Username: user, Password: password}), until: until}, nil
}
