package verification

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// ErrNoKey says that there is no usable key or trust root where a policy says that one is: it is gone, or nobody may
// read it, or what was read is something else. Unlike a failure that is an answer, which takes back what was read before.
var ErrNoKey = errors.New("there is no usable key or trust root")

// unusableError is about content that was read and is of no use.
type unusableError struct{ error }

// Is ErrNoKey.
// Is tells apart what holds no key from what could not be read.
func (e *unusableError) Is(target error) bool { return target == ErrNoKey }

// Unwrap returns why it is of no use.
// Unwrap returns what is wrong with the content.
func (e *unusableError) Unwrap() error { return e.error }

func unusable(format string, args ...any) error { return &unusableError{fmt.Errorf(format, args...)} }

// takesBack tells whether an error is a source's answer that there is nothing of use. A source has to mean it: see
// KeySecrets and KMS.
func takesBack(err error) bool {
	return errors.Is(err, ErrNoKey) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || apierrors.IsNotFound(err)
}

// unreadError says that a policy's authority could not be read. It does not unwrap: that a source of keys did not
// answer in time says nothing about the registry that was to be asked.
type unreadError struct {
	authority, text string
	// noKey tells that the source answered that there is nothing of use.
	noKey bool
}

func newUnreadError(policy, authority string, err error) *unreadError {
	text := fmt.Sprintf("reading authority %q of ImagePolicy %q: %v", authority, policy, err)
	return &unreadError{authority: authority, text: text, noKey: takesBack(err)}
}

func (e *unreadError) Error() string { return e.text }

// Is ErrNoKey where the source said so.
func (e *unreadError) Is(target error) bool { return target == ErrNoKey && e.noKey }

// joined returns nil where there are none.
func joined(list []*unreadError) error {
	var problems []error
	for _, err := range list {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// marker stands in a fingerprint in place of a digest.
func (e *unreadError) marker() string {
	if e.noKey {
		return "of no use"
	}
	return "unread"
}

// mayAttest tells whether an authority may make an attestation for which a policy asks.
func (e *unreadError) mayAttest(policy *v1alpha1.ImagePolicy) bool {
	return slices.ContainsFunc(policy.Spec.Attestations, func(a v1alpha1.AttestationRequirement) bool {
		return len(a.Authorities) == 0 || slices.Contains(a.Authorities, e.authority)
	})
}

// passOver takes what is signed by no authority that could be read. An attestation may be by one that could not be, and
// newer than all others.
func (c *collection) passOver(s *signed) {
	attests := func(e *unreadError) bool { return e.mayAttest(c.requirement.ImagePolicy()) }
	if !c.mayBeAttestation(s) || !slices.ContainsFunc(c.absent, attests) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hidden = true
}

// mayBeAttestation tells whether something may be an attestation for which the policy asks. A bundle's hint is what it
// says itself, a layer's is what was written beside it.
func (c *collection) mayBeAttestation(s *signed) bool {
	switch {
	case !s.isEnvelope():
		return false
	case s.entity == nil && saysNothing(s.hint):
		return true
	}
	return s.hint == "" || s.hint != proof.SignaturePredicateType && c.isWanted(s.hint)
}

// isEnvelope tells whether what was signed is a DSSE envelope, as all statements are.
func (s *signed) isEnvelope() bool { return bytes.HasPrefix(s.message, []byte("DSSEv1 ")) }
