package cloud_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/runeframeos/kubectl-rune/pkg/signature/cloud"
)

const (
	googleHost = "cloudkms.googleapis.com"
	googleKey  = "projects/shop/locations/eu/keyRings/ring/cryptoKeys/release"
)

// googleKMS is the gRPC service of Google Cloud KMS, as far as a verifier asks it.
type googleKMS struct {
	kmspb.UnimplementedKeyManagementServiceServer
	public string
	// disabled is the version that may not be used.
	disabled atomic.Pointer[string]
}

func (g *googleKMS) GetCryptoKeyVersion(ctx context.Context, r *kmspb.GetCryptoKeyVersionRequest) (*kmspb.CryptoKeyVersion, error) {
	version := &kmspb.CryptoKeyVersion{Name: r.GetName(), State: kmspb.CryptoKeyVersion_ENABLED}
	if disabled := g.disabled.Load(); disabled != nil && strings.HasSuffix(r.GetName(), "/cryptoKeyVersions/"+*disabled) {
		version.State = kmspb.CryptoKeyVersion_DISABLED
	}
	return version, known(ctx, r.GetName())
}

func known(ctx context.Context, name string) error {
	sent, _ := metadata.FromIncomingContext(ctx)
	if token := strings.Join(sent.Get("authorization"), ""); !strings.HasPrefix(token, "Bearer ") {
		return status.Error(codes.Unauthenticated, "no token")
	}
	if !strings.HasPrefix(name, googleKey) {
		return status.Errorf(codes.PermissionDenied, "%s may not be read,\nor does not exist", name)
	}
	return nil
}

func (g *googleKMS) ListCryptoKeyVersions(ctx context.Context, r *kmspb.ListCryptoKeyVersionsRequest) (*kmspb.ListCryptoKeyVersionsResponse, error) {
	return &kmspb.ListCryptoKeyVersionsResponse{CryptoKeyVersions: []*kmspb.CryptoKeyVersion{{
		Name: r.GetParent() + "/cryptoKeyVersions/3", State: kmspb.CryptoKeyVersion_ENABLED,
		Algorithm: kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256,
	}}}, known(ctx, r.GetParent())
}

func (g *googleKMS) GetPublicKey(ctx context.Context, r *kmspb.GetPublicKeyRequest) (*kmspb.PublicKey, error) {
	return &kmspb.PublicKey{Name: r.GetName(), Pem: g.public}, known(ctx, r.GetName())
}

// googleIdentity is a service account whose tokens the test's Google issues.
func googleIdentity(t *testing.T) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(newRSA(t))
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "shop", "client_email": "rune@shop.iam.gserviceaccount.com", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"token_uri":   "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(path, account, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
	clouds.is(t, "oauth2.googleapis.com", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answers(w, "application/json", http.StatusOK, map[string]any{"access_token": "of-google", "token_type": "Bearer", "expires_in": 3600})
	}))
}

func TestAKeyInGoogleCloud(t *testing.T) {
	googleIdentity(t)
	key := newECDSA(t)
	server := grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(server, &googleKMS{public: pemOf(t, key.Public())})
	clouds.is(t, googleHost, server)
	requireKey(t, &key.PublicKey, "gcpkms://"+googleKey)
	_, err := cloud.NewKMS().PublicKey(t.Context(), "gcpkms://"+strings.Replace(googleKey, "release", "other", 1))
	oneLine(t, err, "asking Google Cloud KMS for", "PermissionDenied", "may not be read")
}

func TestAVersionOfAKeyInGoogleCloudThatIsDisabledIsNoticed(t *testing.T) {
	googleIdentity(t)
	key := newECDSA(t)
	service, server := &googleKMS{public: pemOf(t, key.Public())}, grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(server, service)
	clouds.is(t, googleHost, server)
	client := cloud.NewKMS()
	for _, uri := range []string{"gcpkms://" + googleKey + "/cryptoKeyVersions/2", "gcpkms://" + googleKey + "/versions/2"} {
		service.disabled.Store(nil)
		if _, err := client.PublicKey(t.Context(), uri); err != nil {
			t.Fatal(err)
		}
		service.disabled.Store(new("2"))
		_, err := client.PublicKey(t.Context(), uri)
		oneLine(t, err, "version 2", "DISABLED", "not enabled")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: it does not take back what was read before", err)
		}
	}
}
