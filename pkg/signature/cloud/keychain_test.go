package cloud_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/cloud"
)

const (
	ecrRegistry = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
	ecrAPI      = "api.ecr.eu-west-1.amazonaws.com"
	acrRegistry = "shop.azurecr.io"
	garRegistry = "europe-docker.pkg.dev"
)

// shown are the credentials that a registry would be shown, empty for none.
func shown(t *testing.T, keychain authn.Keychain, registry string) (authn.AuthConfig, error) {
	t.Helper()
	repository, err := name.NewRepository(registry + "/shop/web")
	if err != nil {
		t.Fatal(err)
	}
	auth, err := authn.Resolve(t.Context(), keychain, repository)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	config, err := authn.Authorization(t.Context(), auth)
	if err != nil {
		t.Fatal(err)
	}
	return *config, nil
}

// ecr answers with a token that ends twelve hours after a time.
func ecr(at time.Time, status *int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		const contentType = "application/x-amz-json-1.1"
		if *status != http.StatusOK || r.Header.Get("X-Amz-Target") != "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken" {
			answers(w, contentType, *status, map[string]any{"__type": "AccessDeniedException", "message": "not authorized to perform: ecr:GetAuthorizationToken"})
			return
		}
		answers(w, contentType, http.StatusOK, map[string]any{"authorizationData": []any{map[string]any{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:of-aws")), "expiresAt": at.Add(12 * time.Hour).Unix(),
		}}})
	}
}

func TestRegistriesOfAWSAreShownATokenThatIsRenewed(t *testing.T) {
	awsIdentity(t)
	now := time.Now()
	clock := clocktesting.NewFakePassiveClock(now)
	status := http.StatusOK
	clouds.is(t, ecrAPI, ecr(now, &status))
	keychain := cloud.NewKeychain(clock)
	want := authn.AuthConfig{Username: "AWS", Password: "of-aws"}
	for _, test := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {5 * time.Hour, 1}, {7 * time.Hour, 2}} {
		clock.SetTime(now.Add(test.after))
		got, err := shown(t, keychain, ecrRegistry)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("credentials (-want +got):\n%s", diff)
		}
		if asked := len(clouds.asked()); asked != test.asked {
			t.Errorf("after %s AWS was asked %d times, want %d", test.after, asked, test.asked)
		}
	}
}

func TestThatNoCredentialsAreToBeHadIsSaidAndNotAskedForEachImage(t *testing.T) {
	awsIdentity(t)
	clock := clocktesting.NewFakePassiveClock(time.Now())
	status := http.StatusBadRequest
	clouds.is(t, ecrAPI, ecr(clock.Now(), &status))
	keychain := cloud.NewKeychain(clock)
	for range 3 {
		_, err := shown(t, keychain, ecrRegistry)
		oneLine(t, err, "asking AWS for credentials", "it answered AccessDeniedException", "ecr:GetAuthorizationToken")
	}
	if asked := len(clouds.asked()); asked != 1 {
		t.Errorf("AWS was asked %d times", asked)
	}
	status = http.StatusOK
	clock.SetTime(clock.Now().Add(time.Minute))
	if got, err := shown(t, keychain, ecrRegistry); err != nil || got.Password != "of-aws" {
		t.Errorf("after a minute %+v, %v", got, err)
	}
}

func TestRegistriesOfAzureAreShownATokenOfTheirs(t *testing.T) {
	azureIdentity(t)
	clouds.is(t, acrRegistry, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth2/exchange" || r.PostFormValue("access_token") != "of-azure" || r.PostFormValue("service") != acrRegistry {
			answers(w, "application/json", http.StatusUnauthorized, map[string]any{"errors": []any{map[string]any{"code": "UNAUTHORIZED"}}})
			return
		}
		answers(w, "application/json", http.StatusOK, map[string]any{"refresh_token": "of-acr"})
	}))
	got, err := shown(t, cloud.NewKeychain(clocktesting.NewFakePassiveClock(time.Now())), acrRegistry)
	if err != nil {
		t.Fatal(err)
	}
	want := authn.AuthConfig{Username: "00000000-0000-0000-0000-000000000000", Password: "of-acr"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
}

func TestRegistriesOfGoogleAreShownATokenAndWithoutIdentityNone(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Now())
	keychain := cloud.NewKeychain(clock)
	if got, err := shown(t, keychain, garRegistry); err != nil || got != (authn.AuthConfig{}) {
		t.Errorf("without an identity %+v, %v", got, err)
	}
	googleIdentity(t)
	clock.SetTime(clock.Now().Add(2 * time.Minute))
	got, err := shown(t, keychain, garRegistry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(authn.AuthConfig{Username: "_token", Password: "of-google"}, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
}

// A registry that only looks like one of a cloud must not be shown what is meant for it.
func TestLookAlikesAreShownNothing(t *testing.T) {
	awsIdentity(t)
	azureIdentity(t)
	googleIdentity(t)
	keychain := cloud.NewKeychain(clocktesting.NewFakePassiveClock(time.Now()))
	for _, registry := range []string{
		ecrRegistry + ".evil.example", "evil-" + ecrRegistry, "public.ecr.aws", "11112222.dkr.ecr.eu-west-1.amazonaws.com",
		acrRegistry + ".evil.example", "shop.azurecr.io.cn", "a.b.azurecr.io", "azurecr.io",
		"gcr.io.evil.example", "evilgcr.io", "docker.pkg.dev", "europe-docker.pkg.dev.evil.example", "registry.example.com", "localhost:5000",
	} {
		if got, err := shown(t, keychain, registry); err != nil || got != (authn.AuthConfig{}) {
			t.Errorf("%s is shown %+v, %v", registry, got, err)
		}
	}
	if asked := clouds.asked(); len(asked) != 0 {
		t.Errorf("clouds were asked: %q", asked)
	}
}

func TestTheDockerConfigurationGoesFirst(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("DOCKER_CONFIG", directory)
	t.Setenv("HOME", directory)
	content := `{"auths": {"` + ecrRegistry + `": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("ci:written")) + `"}}}`
	if err := os.WriteFile(filepath.Join(directory, "config.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := shown(t, cloud.NewKeychain(clocktesting.NewFakePassiveClock(time.Now())), ecrRegistry)
	if err != nil || got.Username != "ci" || got.Password != "written" {
		t.Errorf("%+v, %v", got, err)
	}
}
