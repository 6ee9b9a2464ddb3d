package verification_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// outside is whatever keys are read from.
type outside struct {
	mu    sync.Mutex
	key   string
	err   error
	asked int
}

func (o *outside) set(key string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.key, o.err = key, err
}

func (o *outside) times() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

func (o *outside) KeySecret(_ context.Context, name, key string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	if name != "keys" || key != "cosign.pub" {
		return nil, fmt.Errorf("no key %q of %q: %w", key, name, fs.ErrNotExist)
	}
	return []byte(o.key), o.err
}

func (o *outside) PublicKey(_ context.Context, _ string) (crypto.PublicKey, error) {
	raw, err := o.KeySecret(context.Background(), "keys", "cosign.pub")
	if err != nil {
		return nil, err
	}
	return cryptoutils.UnmarshalPEMToPublicKey(raw)
}

func secretAuthority() v1alpha1.Authority {
	return v1alpha1.Authority{Name: "release", Key: &v1alpha1.KeyAuthority{SecretRef: &v1alpha1.KeySecretReference{Name: "keys"}}}
}

func kmsAuthority() v1alpha1.Authority {
	return v1alpha1.Authority{Name: "release", Key: &v1alpha1.KeyAuthority{KMS: "awskms:///alias/release"}}
}

func TestKeysFromOutsideOfThePolicy(t *testing.T) {
	for name, authority := range map[string]v1alpha1.Authority{"a Secret": secretAuthority(), "a key management service": kmsAuthority()} {
		t.Run(name, func(t *testing.T) {
			first, second := newKey(t), newKey(t)
			where, clock := &outside{key: first.public}, testclock.NewFakeClock(time.Now())
			v := verifier(t, func(c *verification.Config) { c.Secrets, c.KMS, c.Clock = where, where, clock })
			requirement := compile(t, policy(authority))
			prepared := func() *verification.Authorities {
				t.Helper()
				got, err := v.Prepare(t.Context(), requirement)
				must(t, err)
				return got
			}
			before := prepared()
			clock.Step(30 * time.Second)
			prepared()
			if prepared() != before {
				t.Error("the same key is another pointer")
			}
			where.set("", errors.New("it does not answer"))
			clock.Step(2 * time.Minute)
			if prepared() != before {
				t.Error("a source that fails took the key back")
			}
			where.set(second.public, nil)
			clock.Step(time.Minute)
			after := prepared()
			if after.Fingerprint() == before.Fingerprint() {
				t.Error("another key was not noticed within a minute")
			}
			where.set("", fmt.Errorf("reading: %w", fs.ErrNotExist))
			clock.Step(time.Minute)
			if _, err := v.Prepare(t.Context(), requirement); err == nil {
				t.Error("a key that was taken away still counts")
			}
			where.set(second.public, nil)
			clock.Step(time.Minute)
			prepared()
			where.set("", errors.New("it does not answer"))
			clock.Step(25 * time.Hour)
			if _, err := v.Prepare(t.Context(), requirement); err == nil || !strings.Contains(err.Error(), "it does not answer") {
				t.Errorf("a source that fails for a day: error is %v", err)
			}
		})
	}
}

func TestKeysFromOutsideAreReadSeldom(t *testing.T) {
	where, clock := &outside{key: newKey(t).public}, testclock.NewFakeClock(time.Now())
	v := verifier(t, func(c *verification.Config) { c.Secrets, c.Clock = where, clock })
	requirements := []*proof.Requirement{compile(t, policy(secretAuthority())), compile(t, policy(secretAuthority()))}
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			for _, requirement := range requirements {
				if _, err := v.Prepare(context.Background(), requirement); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if asked := where.times(); asked != 1 {
		t.Errorf("100 at once asked %d times, want once", asked)
	}
}

func TestTrustRootsFromFiles(t *testing.T) {
	sigstore, other := newInstance(t), newInstance(t)
	path := filepath.Join(t.TempDir(), "trusted_root.json")
	must(t, os.WriteFile(path, []byte(sigstore.trustRoot(t, false)), 0o600))
	clock := testclock.NewFakeClock(time.Now())
	v := verifier(t, func(c *verification.Config) { c.Clock = clock })
	a := keyless(t, sigstore, trustedIdentity())
	a.TrustRoot = &v1alpha1.TrustRoot{File: path}
	s := newServer(t)
	ref := s.push(t)
	refer(t, ref, sigstore.certify(t, ci(), time.Now().Add(-time.Minute)).bundle(t, statement(t, ref, signType, nil), witness{log: true}), signType)
	requirement := compile(t, policy(a))
	signed := func() int {
		t.Helper()
		authorities, err := v.Prepare(t.Context(), requirement)
		must(t, err)
		got, err := v.Collect(t.Context(), zeroAccess(), ref, requirement, authorities)
		must(t, err)
		return len(got.Signatures)
	}
	if signed() != 1 {
		t.Fatal("the trust root of a file does not count")
	}
	must(t, os.WriteFile(path, []byte(other.trustRoot(t, false)), 0o600))
	clock.Step(time.Minute)
	if signed() != 0 {
		t.Error("the file's new content was not noticed within a minute")
	}
}

func TestWhatCannotBePrepared(t *testing.T) {
	sigstore := newInstance(t)
	change := func(a v1alpha1.Authority, change func(*v1alpha1.Authority)) v1alpha1.Authority {
		change(&a)
		return a
	}
	trusting := keyless(t, sigstore, trustedIdentity())
	tests := map[string]struct {
		authority v1alpha1.Authority
		want      string
	}{
		"a Secret where none are read":     {authority: secretAuthority(), want: "this program reads no Secrets"},
		"a KMS that is not built in":       {authority: kmsAuthority(), want: "use the build with the tag cloud"},
		"neither key nor identity":         {authority: v1alpha1.Authority{Name: "release"}, want: "exactly one of key and keyless"},
		"a key of nowhere":                 {authority: v1alpha1.Authority{Name: "release", Key: &v1alpha1.KeyAuthority{}}, want: "one of data, secretRef and kms"},
		"no identity":                      {authority: keyless(t, sigstore), want: "else everybody could sign"},
		"an identity of anybody":           {authority: keyless(t, sigstore, v1alpha1.CertificateIdentity{}), want: "exactly one of the value and the regular expression"},
		"an issuer alone":                  {authority: keyless(t, sigstore, v1alpha1.CertificateIdentity{Issuer: ciIssuer}), want: "identities[0].subject"},
		"an expression that does not read": {authority: keyless(t, sigstore, v1alpha1.CertificateIdentity{Issuer: ciIssuer, SubjectRegExp: "^(a$"}), want: "missing closing )"},
		"an expression that closes ours":   {authority: keyless(t, sigstore, v1alpha1.CertificateIdentity{Issuer: ciIssuer, SubjectRegExp: "^a$)|(?:.*"}), want: "unexpected )"},
		"an extension that is none": {authority: keyless(t, sigstore, v1alpha1.CertificateIdentity{
			Issuer: ciIssuer, Subject: ciSubject, Extensions: []v1alpha1.CertificateExtension{{Name: "Issuer", Value: "x"}},
		}), want: "no extension of a Fulcio certificate"},
		"nothing that bears witness": {authority: change(trusting, func(a *v1alpha1.Authority) { a.TransparencyLog = v1alpha1.PresenceIgnored }), want: "needs a trusted time"},
		"a key with a log of nowhere": {authority: change(newKey(t).authority("release"), func(a *v1alpha1.Authority) {
			a.TransparencyLog = v1alpha1.PresenceRequired
		}), want: "needs a trustRoot"},
		"a trust root that is none":    {authority: change(trusting, func(a *v1alpha1.Authority) { a.TrustRoot = &v1alpha1.TrustRoot{Data: "{}"} }), want: "no Sigstore trusted root"},
		"a trust root of no file":      {authority: change(trusting, func(a *v1alpha1.Authority) { a.TrustRoot = &v1alpha1.TrustRoot{File: "/nonexistent/root.json"} }), want: `file "/nonexistent/root.json"`},
		"a trust root of nothing said": {authority: change(trusting, func(a *v1alpha1.Authority) { a.TrustRoot = &v1alpha1.TrustRoot{} }), want: "exactly one of data and file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := verifier(t).Prepare(t.Context(), compileAnyhow(t, policy(tt.authority)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := verifier(t).Prepare(t.Context(), compileAnyhow(t, policy())); err == nil || !strings.Contains(err.Error(), "trusts no authority") {
		t.Errorf("a policy without authorities: error is %v", err)
	}
}

func TestFingerprintsTellPoliciesApart(t *testing.T) {
	first, second := newKey(t), newKey(t)
	sigstore := newInstance(t)
	policies := map[string]*v1alpha1.ImagePolicy{
		"a key":                 policy(first.authority("release")),
		"another key":           policy(second.authority("release")),
		"another name":          policy(first.authority("ci")),
		"two keys":              policy(first.authority("release"), second.authority("ci")),
		"an identity":           policy(keyless(t, sigstore, trustedIdentity())),
		"another trust root":    policy(keyless(t, newInstance(t), trustedIdentity())),
		"another predicateType": asking(policy(first.authority("release")), scanType),
	}
	seen := map[string]string{}
	for name, p := range policies {
		authorities, err := verifier(t).Prepare(t.Context(), compile(t, p))
		must(t, err)
		if other, found := seen[authorities.Fingerprint()]; found {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[authorities.Fingerprint()] = name
	}
	v := verifier(t)
	one, err := v.Prepare(t.Context(), compile(t, policies["a key"]))
	must(t, err)
	again, err := v.Prepare(t.Context(), compile(t, policies["a key"]))
	must(t, err)
	if one.Fingerprint() != again.Fingerprint() {
		t.Error("the same policy has two fingerprints")
	}
}

func TestPreparingTwiceCostsNothing(t *testing.T) {
	v, requirement := verifier(t), compile(t, policy(newKey(t).authority("release")))
	if _, err := v.Prepare(t.Context(), requirement); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if got := testing.AllocsPerRun(100, func() {
		if _, err := v.Prepare(ctx, requirement); err != nil {
			t.Error(err)
		}
	}); got > 2 {
		t.Errorf("%v allocations", got)
	}
}
