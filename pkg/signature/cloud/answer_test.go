package cloud_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runeframeos/kubectl-rune/pkg/signature/cloud"
)

// requireAnswer fails unless a service's error is taken for the answer about the key that it is, or for none.
func requireAnswer(t *testing.T, uri string, want error) {
	t.Helper()
	_, err := cloud.NewKMS().PublicKey(t.Context(), uri)
	if err == nil {
		t.Fatal("no error")
	}
	var got error
	for _, answer := range []error{fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(err, answer) {
			got = answer
		}
	}
	if !errors.Is(got, want) {
		t.Errorf("%v is taken for %v, want %v", err, got, want)
	}
}

func TestWhatAWSSaysOfAKeyIsAnAnswer(t *testing.T) {
	awsIdentity(t)
	for code, want := range map[string]error{
		"NotFoundException": fs.ErrNotExist, "DisabledException": fs.ErrNotExist, "KMSInvalidStateException": fs.ErrNotExist,
		"AccessDeniedException": fs.ErrPermission, "UnrecognizedClientException": nil, "ExpiredTokenException": nil,
	} {
		clouds.is(t, awsHost, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answers(w, "application/x-amz-json-1.1", http.StatusBadRequest, map[string]any{"__type": code, "message": "no"})
		}))
		requireAnswer(t, awsKey, want)
	}
}

func TestWhatAzureSaysOfAKeyIsAnAnswer(t *testing.T) {
	azureIdentity(t)
	for code, want := range map[int]error{
		http.StatusNotFound: fs.ErrNotExist, http.StatusForbidden: fs.ErrPermission, http.StatusBadRequest: nil,
	} {
		clouds.is(t, "shop.vault.azure.net", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				w.Header().Set("WWW-Authenticate", `Bearer authorization="https://login.windows.net/tenant", resource="https://vault.azure.net"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			answers(w, "application/json", code, map[string]any{"error": map[string]any{"code": "No", "message": "no"}})
		}))
		requireAnswer(t, "azurekms://shop.vault.azure.net/release", want)
	}
}

func TestAKeyInAzureThatIsDisabledIsNoticed(t *testing.T) {
	azureIdentity(t)
	key := newRSA(t)
	public := map[string]any{
		"kid": "https://shop.vault.azure.net/keys/release/1", "kty": "RSA",
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString([]byte{1, 0, 1}),
	}
	for _, uri := range []string{"azurekms://shop.vault.azure.net/release", "azurekms://shop.vault.azure.net/release/1a"} {
		for _, enabled := range []bool{true, false} {
			clouds.is(t, "shop.vault.azure.net", azureVault(public, enabled))
			if enabled {
				requireKey(t, &key.PublicKey, uri)
				continue
			}
			requireAnswer(t, uri, fs.ErrNotExist)
		}
	}
}

func TestWhatVaultSaysOfAKeyIsAnAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		says   []string
		want   error
	}{
		"no such key":     {status: http.StatusNotFound, says: []string{}, want: fs.ErrNotExist},
		"denied":          {status: http.StatusForbidden, says: []string{"1 error occurred:\n\t* permission denied\n\n"}, want: fs.ErrPermission},
		"a token's end":   {status: http.StatusForbidden, says: []string{"2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"}},
		"it makes a mess": {status: http.StatusBadRequest, says: []string{"no"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				answers(w, "application/json", tt.status, map[string]any{"errors": tt.says})
			}))
			t.Cleanup(server.Close)
			t.Setenv("VAULT_ADDR", server.URL)
			t.Setenv("VAULT_TOKEN", "of-vault")
			requireAnswer(t, "hashivault://release", tt.want)
		})
	}
}

// refusingKMS answers one thing only.
type refusingKMS struct {
	kmspb.UnimplementedKeyManagementServiceServer
	code codes.Code
}

// ListCryptoKeyVersions knows of no version that is enabled.
func (r refusingKMS) ListCryptoKeyVersions(context.Context, *kmspb.ListCryptoKeyVersionsRequest) (*kmspb.ListCryptoKeyVersionsResponse, error) {
	if r.code != codes.OK {
		return nil, status.Error(r.code, "no")
	}
	return &kmspb.ListCryptoKeyVersionsResponse{}, nil
}

func TestWhatGoogleSaysOfAKeyIsAnAnswer(t *testing.T) {
	googleIdentity(t)
	for code, want := range map[codes.Code]error{
		codes.NotFound: fs.ErrNotExist, codes.FailedPrecondition: fs.ErrNotExist, codes.OK: fs.ErrNotExist,
		codes.PermissionDenied: fs.ErrPermission, codes.Unauthenticated: nil,
	} {
		server := grpc.NewServer()
		kmspb.RegisterKeyManagementServiceServer(server, refusingKMS{code: code})
		clouds.is(t, googleHost, server)
		requireAnswer(t, "gcpkms://"+googleKey, want)
	}
}

func TestThatOwnCredentialsAreGoneIsNoAnswer(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "nothing.json"))
	requireAnswer(t, "gcpkms://"+googleKey, nil)
}
