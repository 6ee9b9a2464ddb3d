package verification_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// requireRevoked fails unless an error says that a key is of no use, with this part.
func requireRevoked(t *testing.T, err error, part string) {
	t.Helper()
	if !errors.Is(err, verification.ErrNoKey) || !strings.Contains(err.Error(), part) {
		t.Errorf("error is %v, want ErrNoKey with %q", err, part)
	}
}

func TestAKeyWhoseContentIsReplacedCountsNoLonger(t *testing.T) {
	tests := map[string]struct {
		authority v1alpha1.Authority
		content   string
		err       error
		want      string
	}{
		"by something that is no key":  {authority: secretAuthority(), content: "revoked\n", want: "it is no public key"},
		"by nothing":                   {authority: secretAuthority(), want: "it is empty"},
		"by another kind of PEM":       {authority: secretAuthority(), content: "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", want: "it is no public key"},
		"by no field of the Secret":    {authority: secretAuthority(), err: fmt.Errorf("no data: %w", fs.ErrNotExist), want: "no data"},
		"by no Secret":                 {authority: secretAuthority(), err: apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "keys"), want: "not found"},
		"and was deleted or disabled":  {authority: kmsAuthority(), err: fmt.Errorf("key is disabled: %w", fs.ErrNotExist), want: "key is disabled"},
		"and may not be read any more": {authority: kmsAuthority(), err: fmt.Errorf("denied: %w", fs.ErrPermission), want: "denied"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			where, clock := &outside{key: newKey(t).public}, testclock.NewFakeClock(time.Now())
			v := verifier(t, func(c *verification.Config) { c.Secrets, c.KMS, c.Clock = where, where, clock })
			requirement := compile(t, policy(tt.authority))
			_, err := v.Prepare(t.Context(), requirement)
			must(t, err)
			where.set(tt.content, tt.err)
			clock.Step(time.Minute)
			_, err = v.Prepare(t.Context(), requirement)
			requireRevoked(t, err, tt.want)
			// A failure after that is no reason to trust the old key again.
			where.set("", errors.New("it does not answer"))
			clock.Step(time.Minute)
			_, err = v.Prepare(t.Context(), requirement)
			requireRevoked(t, err, tt.want)
			where.set(newKey(t).public, nil)
			clock.Step(time.Minute)
			if _, err := v.Prepare(t.Context(), requirement); err != nil {
				t.Errorf("a new key does not count: %v", err)
			}
		})
	}
}

// weakKMS has a key that is too short.
type weakKMS struct{ key crypto.PublicKey }

func (k weakKMS) PublicKey(context.Context, string) (crypto.PublicKey, error) { return k.key, nil }

func TestAKeyThatNobodyShouldTrustIsNone(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	for name, key := range map[string]crypto.PublicKey{"too short": weak.Public(), "no key at all": "key"} {
		t.Run(name, func(t *testing.T) {
			v := verifier(t, func(c *verification.Config) { c.KMS = weakKMS{key} })
			_, err := v.Prepare(t.Context(), compile(t, policy(kmsAuthority())))
			requireRevoked(t, err, `key "awskms:///alias/release"`)
		})
	}
}

func TestATrustRootWhoseFileIsReplacedCountsNoLonger(t *testing.T) {
	sigstore := newInstance(t)
	for name, content := range map[string]string{"by something else": "revoked", "by nothing": "", "by too much": strings.Repeat(" ", 1<<20+1)} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "trusted_root.json")
			must(t, os.WriteFile(path, []byte(sigstore.trustRoot(t, false)), 0o600))
			clock := testclock.NewFakeClock(time.Now())
			v := verifier(t, func(c *verification.Config) { c.Clock = clock })
			a := keyless(t, sigstore, trustedIdentity())
			a.TrustRoot = &v1alpha1.TrustRoot{File: path}
			requirement := compile(t, policy(a))
			_, err := v.Prepare(t.Context(), requirement)
			must(t, err)
			must(t, os.WriteFile(path, []byte(content), 0o600))
			clock.Step(time.Minute)
			_, err = v.Prepare(t.Context(), requirement)
			requireRevoked(t, err, "trusted_root.json")
		})
	}
}

func TestAKeyThatCannotBeReadCountsForMinutes(t *testing.T) {
	for name, authority := range map[string]v1alpha1.Authority{"a Secret": secretAuthority(), "a key management service": kmsAuthority()} {
		t.Run(name, func(t *testing.T) {
			where, clock := &outside{key: newKey(t).public}, testclock.NewFakeClock(time.Now())
			v := verifier(t, func(c *verification.Config) { c.Secrets, c.KMS, c.Clock = where, where, clock })
			requirement := compile(t, policy(authority))
			_, err := v.Prepare(t.Context(), requirement)
			must(t, err)
			where.set("", errors.New("it does not answer"))
			var age time.Duration
			for ; err == nil && age < time.Hour; age += 15 * time.Second {
				clock.Step(15 * time.Second)
				_, err = v.Prepare(t.Context(), requirement)
			}
			if err == nil || errors.Is(err, verification.ErrNoKey) || !strings.Contains(err.Error(), "it does not answer") {
				t.Errorf("error is %v", err)
			}
			if age < 3*time.Minute || age > 5*time.Minute {
				t.Errorf("the old key counted for %s", age)
			}
		})
	}
}
