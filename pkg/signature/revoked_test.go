package signature

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// keySecret holds one key.
type keySecret struct{ content atomic.Pointer[string] }

// KeySecret implements verification.KeySecrets.
func (s *keySecret) KeySecret(context.Context, string, string) ([]byte, error) {
	return []byte(*s.content.Load()), nil
}

// The whole of it, against a registry that does not answer: that a key was revoked is known without one.
func TestASecretThatIsReplacedByNoKeyIsRevokedForAllThatIsAsked(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	secret, clock := &keySecret{}, testclock.NewFakeClock(time.Now())
	secret.content.Store(new(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))))
	v, err := New(Config{KeySecrets: secret, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	compiler, err := proof.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	policy := requirement(t, 0).ImagePolicy().DeepCopy()
	policy.Spec.Images = []string{"127.0.0.1:1/**"}
	policy.Spec.Authorities = []v1alpha1.Authority{{
		Name: "release", Key: &v1alpha1.KeyAuthority{SecretRef: &v1alpha1.KeySecretReference{Name: "release"}},
	}}
	r, err := compiler.Compile(policy)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		_, err := v.Verify(t.Context(), question(r, "127.0.0.1:1/web", digestOf(1)))
		return err
	}
	if err := ask(); err == nil || isDefinite(err) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Fatalf("error is %v, want the registry's", err)
	}
	for _, content := range []string{"revoked", ""} {
		secret.content.Store(&content)
		clock.Step(time.Minute)
		if err := ask(); !isDefinite(err) || !strings.Contains(err.Error(), `key "cosign.pub" of Secret "release"`) {
			t.Errorf("a Secret of %q: error is %v, want that it holds no key", content, err)
		}
	}
}
