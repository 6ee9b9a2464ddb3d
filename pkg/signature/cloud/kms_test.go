package cloud_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/signature/cloud"
)

type comparable interface{ Equal(crypto.PublicKey) bool }

func requireKey(t *testing.T, want comparable, uri string) {
	t.Helper()
	got, err := cloud.NewKMS().PublicKey(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	if !want.Equal(got) {
		t.Errorf("the key of %q is another one: %v", uri, got)
	}
}

const (
	awsHost = "kms.eu-west-1.amazonaws.com"
	awsKey  = "awskms:///arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

func awsIdentity(t *testing.T) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "eu-west-1")
}

// awsKMS speaks the JSON 1.1 protocol of AWS KMS.
func awsKMS(t *testing.T, public []byte) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		const contentType = "application/x-amz-json-1.1"
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/") {
			answers(w, contentType, http.StatusBadRequest, map[string]any{"__type": "IncompleteSignatureException"})
			return
		}
		var asked struct {
			KeyID string `json:"KeyId"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || !strings.HasSuffix(awsKey, asked.KeyID) {
			answers(w, contentType, http.StatusBadRequest, map[string]any{"__type": "NotFoundException", "message": "Key '" + asked.KeyID + "' does not exist"})
			return
		}
		metadata := map[string]any{"KeyId": asked.KeyID, "SigningAlgorithms": []string{"ECDSA_SHA_256"}}
		switch r.Header.Get("X-Amz-Target") {
		case "TrentService.GetPublicKey":
			metadata["PublicKey"] = public
			answers(w, contentType, http.StatusOK, metadata)
		case "TrentService.DescribeKey":
			answers(w, contentType, http.StatusOK, map[string]any{"KeyMetadata": metadata})
		default:
			answers(w, contentType, http.StatusBadRequest, map[string]any{"__type": "UnknownOperationException"})
		}
	}
}

func TestAKeyInAWS(t *testing.T) {
	awsIdentity(t)
	key := newECDSA(t)
	clouds.is(t, awsHost, awsKMS(t, der(t, key.Public())))
	requireKey(t, &key.PublicKey, awsKey)
	_, err := cloud.NewKMS().PublicKey(t.Context(), "awskms:///alias/other")
	oneLine(t, err, "asking AWS KMS for", "it answered NotFoundException", "does not exist")
}

// azureVault speaks the REST protocol of Azure Key Vault, with its challenge.
func azureVault(public map[string]any, enabled bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of-azure" {
			w.Header().Set("WWW-Authenticate", `Bearer authorization="https://login.windows.net/tenant", resource="https://vault.azure.net"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/keys/release") {
			answers(w, "application/json", http.StatusNotFound, map[string]any{"error": map[string]any{"code": "KeyNotFound", "message": "no\nsuch key"}})
			return
		}
		answers(w, "application/json", http.StatusOK, map[string]any{"key": public, "attributes": map[string]any{"enabled": enabled}})
	}
}

// azureIdentity is a managed identity as App Service offers it: an endpoint on the machine itself.
func azureIdentity(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != "of-this-machine" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		answers(w, "application/json", http.StatusOK, map[string]any{
			"access_token": "of-azure", "expires_on": "4102444800", "resource": r.URL.Query().Get("resource"), "token_type": "Bearer",
		})
	}))
	t.Cleanup(server.Close)
	t.Setenv("IDENTITY_ENDPOINT", server.URL)
	t.Setenv("IDENTITY_HEADER", "of-this-machine")
}

func TestAKeyInAzure(t *testing.T) {
	azureIdentity(t)
	key := newECDSA(t)
	coordinate := func(value []byte) string { return base64.RawURLEncoding.EncodeToString(value) }
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	// An uncompressed point: 4, x, y (SEC 1).
	clouds.is(t, "shop.vault.azure.net", azureVault(map[string]any{
		"kid": "https://shop.vault.azure.net/keys/release/1", "kty": "EC-HSM", "crv": "P-256", "x": coordinate(raw[1:33]), "y": coordinate(raw[33:]),
	}, true))
	requireKey(t, &key.PublicKey, "azurekms://shop.vault.azure.net/release")
	_, err = cloud.NewKMS().PublicKey(t.Context(), "azurekms://shop.vault.azure.net/other")
	oneLine(t, err, "asking Azure Key Vault for", "it answered 404 KeyNotFound")
}

// vault speaks the HTTP API of Vault's transit engine.
func vault(t *testing.T, public string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Vault-Token") != "of-vault":
			answers(w, "application/json", http.StatusForbidden, map[string]any{"errors": []string{"permission denied"}})
		case r.URL.Path != "/v1/transit/keys/release":
			answers(w, "application/json", http.StatusNotFound, map[string]any{"errors": []string{}})
		default:
			answers(w, "application/json", http.StatusOK, map[string]any{"data": map[string]any{
				"latest_version": 2, "type": "rsa-2048",
				"keys": map[string]any{"1": map[string]any{"name": "rsa-2048", "public_key": "old"}, "2": map[string]any{"name": "rsa-2048", "public_key": public}},
			}})
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_ADDR", server.URL)
}

func TestAKeyInVault(t *testing.T) {
	key := newRSA(t)
	vault(t, pemOf(t, key.Public()))
	t.Setenv("VAULT_TOKEN", "of-vault")
	requireKey(t, &key.PublicKey, "hashivault://release")
	_, err := cloud.NewKMS().PublicKey(t.Context(), "hashivault://other")
	oneLine(t, err, "asking Vault for", "transit/keys/other")
	t.Setenv("VAULT_TOKEN", "of-somebody")
	_, err = cloud.NewKMS().PublicKey(t.Context(), "hashivault://release")
	oneLine(t, err, "it answered 403 Forbidden: permission denied")
	t.Setenv("VAULT_ADDR", "")
	_, err = cloud.NewKMS().PublicKey(t.Context(), "hashivault://release")
	oneLine(t, err, "VAULT_ADDR is not set")
}

// Vault's client takes no context; who asks must not wait for it.
func TestAVaultThatHangsIsWaitedForAsLongAsTheCallerDoes(t *testing.T) {
	released := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-released
	}))
	t.Cleanup(func() { close(released); server.Close() })
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", "of-vault")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := cloud.NewKMS().PublicKey(ctx, "hashivault://release"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the end of the caller's patience", err)
	}
}

func TestWhatIsNoKeyOfAServiceIsRefusedInWords(t *testing.T) {
	for uri, want := range map[string]string{
		"k8s://secret": "is no key of a service that is known", "": "write awskms://", "awskms://x": "awskms://[ENDPOINT]/[ID/ALIAS/ARN]",
		"azurekms://x": "azurekms://[VAULT_NAME]", "gcpkms://x": "gcpkms://projects/",
	} {
		_, err := cloud.NewKMS().PublicKey(t.Context(), uri)
		oneLine(t, err, want)
	}
}
