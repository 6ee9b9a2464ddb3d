package verification

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ErrNoKey says that there is no usable key or trust root where a policy says that one is: it is gone, or nobody may
// read it, or what was read is something else. Unlike a failure that is an answer, which takes back what was read before.
var ErrNoKey = errors.New("there is no usable key or trust root")

// unusableError is about content that was read and is of no use.
type unusableError struct{ error }

func (e *unusableError) Is(target error) bool { return target == ErrNoKey }

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
	text string
	// noKey tells that the source answered that there is nothing of use.
	noKey bool
}

func newUnreadError(err error) *unreadError {
	return &unreadError{text: err.Error(), noKey: takesBack(err)}
}

func (e *unreadError) Error() string { return e.text }

// Is ErrNoKey where the source said so.
func (e *unreadError) Is(target error) bool { return target == ErrNoKey && e.noKey }

// marker stands in a fingerprint in place of a digest.
func (e *unreadError) marker() string {
	if e.noKey {
		return "of no use"
	}
	return "unread"
}

// mayHideAttestation tells whether an authority that could not be read may have made an attestation that was asked for.
func (c *collection) mayHideAttestation() bool {
	return c.attestations && len(c.authorities.unread) > 0
}

// undecided is why nobody can tell, where something that could not be read might be what is missing; nil where
// nothing is. That a key is of no use decides nothing while the registry did not answer.
func (c *collection) undecided() error {
	if !c.hidden && c.satisfied() {
		return nil
	}
	list := slices.Clone(c.unread)
	for _, err := range c.authorities.unread {
		if len(c.unread) == 0 || !err.noKey {
			list = append(list, err)
		}
	}
	return errors.Join(distinct(list)...)
}
