package sigstore

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// keyBits is the size of the issuer's RSA key; the least that go-oidc's users accept.
const keyBits = 2048

// The issuers' paths on the one server. Two of each kind, so that the same subject exists at a trusted and
// at another issuer.
const (
	workflowsPath      = "/workflows"
	otherWorkflowsPath = "/other-workflows"
	peoplePath         = "/people"
)

// keyID names the one key of the issuers.
const keyID = "test"

// issuer issues identity tokens, as a CI system or a company's directory does.
type issuer struct {
	url string
	key *rsa.PrivateKey
}

// startIssuer serves OpenID Connect discovery for every issuer path.
func startIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatalf("making the issuer's key: %v", err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	for _, path := range []string{workflowsPath, otherWorkflowsPath, peoplePath} {
		mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{
				"issuer": i.url + path, "jwks_uri": i.url + path + "/keys",
				"authorization_endpoint": i.url + path + "/authorize", "token_endpoint": i.url + path + "/token",
				"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
				"id_token_signing_alg_values_supported": []string{"RS256"},
			})
		})
		mux.HandleFunc("GET "+path+"/keys", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{"keys": []any{map[string]string{
				"kty": "RSA", "alg": "RS256", "use": "sig", "kid": keyID,
				"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
			}}})
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// token returns a signed token with the claims that every token has and the given ones.
func (i *issuer) token(t testing.TB, issuer string, claims map[string]any) string {
	t.Helper()
	now := time.Now()
	all := map[string]any{
		"iss": issuer, "aud": "sigstore",
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for name, value := range claims {
		all[name] = value
	}
	signed := encodeJSON(t, map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID}) + "." + encodeJSON(t, all)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatalf("signing a token: %v", err)
	}
	return signed + "." + encode(signature)
}

func answer(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(document); err != nil {
		http.Error(w, fmt.Sprint(err), http.StatusInternalServerError)
	}
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func encodeJSON(t testing.TB, document any) string {
	t.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatalf("encoding a token: %v", err)
	}
	return encode(data)
}
