package verification_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// errSilent is the failure of a source of keys. It is a time-out, which says nothing about a registry.
var errSilent = fmt.Errorf("it does not answer: %w", context.DeadlineExceeded)

func TestAnAuthorityThatCannotBeReadBlocksOnlyWhatNeedsIt(t *testing.T) {
	ours, theirs := newKey(t), newKey(t)
	s := servers(t)["a registry with referrers"]
	signedBy := func(keys ...key) image.Reference {
		ref := s.push(t)
		for _, one := range keys {
			one.sign(t, ref)
		}
		return ref
	}
	nobody, us, them, both := signedBy(), signedBy(ours), signedBy(theirs), signedBy(ours, theirs)
	require := func(mode v1alpha1.SignatureRequirement, atLeast int32) func(*v1alpha1.ImagePolicySpec) {
		return func(spec *v1alpha1.ImagePolicySpec) {
			spec.Require = mode
			if atLeast > 0 {
				spec.AtLeast = &atLeast
			}
		}
	}
	tests := map[string]struct {
		ref     image.Reference
		require func(*v1alpha1.ImagePolicySpec)
		want    []string
	}{
		"any must sign and another has":           {ref: us, require: require(v1alpha1.RequireAny, 0), want: []string{"ours"}},
		"any must sign and both have":             {ref: both, require: require(v1alpha1.RequireAny, 0), want: []string{"ours"}},
		"one must sign and another has":           {ref: us, require: require(v1alpha1.RequireAtLeast, 1), want: []string{"ours"}},
		"any must sign and only it may have":      {ref: them, require: require(v1alpha1.RequireAny, 0)},
		"any must sign and nobody seems to have":  {ref: nobody, require: require(v1alpha1.RequireAny, 0)},
		"all must sign and both have":             {ref: both, require: require(v1alpha1.RequireAll, 0)},
		"two must sign and only one can be known": {ref: both, require: require(v1alpha1.RequireAtLeast, 2)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := policy(ours.authority("ours"), secretAuthority())
			tt.require(&p.Spec)
			for _, failure := range []error{errSilent, verification.ErrNoKey} {
				v := verifier(t, func(c *verification.Config) { c.Secrets = &outside{err: failure} })
				got, err := collect(t, v, tt.ref, p)
				if tt.want != nil {
					must(t, err)
					if diff := cmp.Diff(tt.want, signers(got)); diff != "" {
						t.Errorf("signers (-want +got):\n%s", diff)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), `reading authority "release"`) || !strings.Contains(err.Error(), failure.Error()) {
					t.Errorf("error is %v, want one that names the authority and %q", err, failure)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v: it is taken for a time-out of the registry", err)
				}
				if got := errors.Is(err, verification.ErrNoKey); got != errors.Is(failure, verification.ErrNoKey) {
					t.Errorf("%v: it is definite: %t", err, got)
				}
			}
		})
	}
}

func TestAnImageThatDoesNotExistIsNotBlamedOnAKey(t *testing.T) {
	ours := newKey(t)
	ref := newServer(t).push(t).WithDigest("sha256:" + strings.Repeat("0", 64))
	v := verifier(t, func(c *verification.Config) { c.Secrets = &outside{err: errSilent} })
	if _, err := collect(t, v, ref, policy(ours.authority("ours"), secretAuthority())); !errors.Is(err, image.ErrNotExist) {
		t.Errorf("error is %v, want that the image does not exist", err)
	}
}

// The newest attestation may be by whoever cannot be asked for a key.
func TestAnAttestationByAnAuthorityThatCannotBeReadIsNotPassedOver(t *testing.T) {
	ours, theirs := newKey(t), newKey(t)
	for name, attest := range map[string]func(key, *testing.T, image.Reference){
		"under a tag": func(k key, t *testing.T, ref image.Reference) { k.attest(t, ref, scanType, map[string]any{}) },
		"in bundles": func(k key, t *testing.T, ref image.Reference) {
			refer(t, ref, k.bundle(t, statement(t, ref, scanType, map[string]any{})), scanType)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := servers(t)["a registry with referrers"]
			known, unknown := s.push(t), s.push(t)
			for _, ref := range []image.Reference{known, unknown} {
				ours.sign(t, ref)
				theirs.sign(t, ref)
				attest(ours, t, ref)
			}
			attest(theirs, t, unknown)
			v := verifier(t, func(c *verification.Config) { c.Secrets = &outside{err: errSilent} })
			anybody := asking(policy(ours.authority("ours"), secretAuthority()), scanType)
			got, err := collect(t, v, known, anybody)
			must(t, err)
			if len(got.Attestations) != 1 {
				t.Errorf("%d attestations, want one", len(got.Attestations))
			}
			if got, err := collect(t, v, unknown, anybody); err == nil {
				t.Errorf("an attestation was passed over: %+v", got)
			}
			we := asking(policy(ours.authority("ours"), secretAuthority()), scanType)
			we.Spec.Attestations[0].Authorities = []string{"ours"}
			if _, err := collect(t, v, unknown, we); err != nil {
				t.Errorf("an attestation that does not count is in the way: %v", err)
			}
		})
	}
}

func TestWhatIsKnownWithoutAnAuthorityIsNotTakenForAll(t *testing.T) {
	ours, theirs := newKey(t), newKey(t)
	where, clock := &outside{err: errSilent}, testclock.NewFakeClock(time.Now())
	v := verifier(t, func(c *verification.Config) { c.Secrets, c.Clock = where, clock })
	requirement := compile(t, policy(ours.authority("ours"), secretAuthority()))
	prints := map[string]string{}
	prepare := func(name string, unread bool) *verification.Authorities {
		t.Helper()
		clock.Step(time.Minute)
		got, err := v.Prepare(t.Context(), requirement)
		must(t, err)
		if (got.Unread() != nil) != unread {
			t.Errorf("%s: unread is %v", name, got.Unread())
		}
		if other, found := prints[got.Fingerprint()]; found {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		prints[got.Fingerprint()] = name
		return got
	}
	prepare("a silent source", true)
	where.set("revoked", nil)
	requireRevoked(t, prepare("a key of no use", true).Unread(), "it is no public key")
	where.set(theirs.public, nil)
	prepare("a key", false)
}
