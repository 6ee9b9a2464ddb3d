package cloud

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/containers/azcontainerregistry"
	"github.com/google/go-containerregistry/pkg/authn"
	"k8s.io/utils/clock"
)

const (
	// acrScope is the audience of Azure's registries in all of its clouds.
	acrScope = "https://containerregistry.azure.net/.default"
	// acrUser goes with a refresh token as the password, as `az acr login --expose-token` says.
	acrUser = "00000000-0000-0000-0000-000000000000"
	// acrLife is how long a token is used; Azure gives it for three hours.
	acrLife = time.Hour
)

// acrHost is a registry of Azure, in its public cloud, China's and the US government's.
var acrHost = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*\.azurecr\.(?:io|cn|us)$`)

// acrRegistry is the registry itself: each has tokens of its own.
func acrRegistry(registry string) string {
	if acrHost.MatchString(registry) {
		return registry
	}
	return ""
}

// acrCredentials exchanges a token of the process' identity for one of the registry.
func acrCredentials(ctx context.Context, clock clock.PassiveClock, registry string) (credentials, error) {
	identity, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return credentials{}, err
	}
	token, err := identity.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{acrScope}})
	if err != nil {
		return credentials{}, err
	}
	client, err := azcontainerregistry.NewAuthenticationClient("https://"+registry, nil)
	if err != nil {
		return credentials{}, err
	}
	answer, err := client.ExchangeAADAccessTokenForACRRefreshToken(ctx, azcontainerregistry.PostContentSchemaGrantTypeAccessToken, registry,
		&azcontainerregistry.AuthenticationClientExchangeAADAccessTokenForACRRefreshTokenOptions{AccessToken: &token.Token})
	if err != nil {
		return credentials{}, err
	}
	if answer.RefreshToken == nil {
		return credentials{}, errors.New("it answered without a token")
	}
	auth := authn.FromConfig(authn.AuthConfig{Username: acrUser, Password: *answer.RefreshToken})
	return credentials{auth: auth, until: clock.Now().Add(acrLife)}, nil
}
