package registry

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// ErrTooLarge says that a manifest or a blob is larger than what may be read. It is a property of the
// content and not of the registry's health.
var ErrTooLarge = errors.New("too large to be read")

// Error says that nobody could tell, and why.
type Error struct {
	// Registry as the image reference names it.
	Registry string
	// Cause in words that follow the registry's name, as in `cannot be reached: …`.
	Cause string
	// Status of the registry's answer; zero if there was none.
	Status int
	// RetryAfter is how long the registry will not be asked again; zero if it may be at once.
	RetryAfter time.Duration

	// unread is set where it was asked without credentials that may exist and could not be read.
	unread bool
	err    error
}

// Error names the registry and the cause.
func (e *Error) Error() string { return fmt.Sprintf("registry %q %s", e.Registry, e.Cause) }

// ConcernsAll tells whether the cause says something about whatever else the registry may be asked: it cannot be
// connected to, or does not even answer a ping. What it refuses to one asker, or answers in a way that cannot be used,
// does not; nor that one repository fails.
func (e *Error) ConcernsAll() bool {
	if e.err == nil {
		return e.Status == 0
	}
	return errors.As(e.err, new(*registryError))
}

// ConcernsRepository tells whether the cause says something about whatever else the same repository may be asked: it
// does not answer, or fails.
func (e *Error) ConcernsRepository() bool {
	if e.err == nil {
		return e.Status == 0 || e.Status >= http.StatusInternalServerError
	}
	return e.ConcernsAll() || judge(e.err) == failing
}

// Refuses tells whether the registry refused access to all the credentials that there are: that is its answer, and not
// for want of one.
func (e *Error) Refuses() bool { return isRefusal(e.Status) && !e.unread }

// Unwrap returns what lies below; it may be nil.
func (e *Error) Unwrap() error { return e.err }

// absentError is the registry's answer that there is no such thing.
type absentError struct {
	registry string
	// note says why the answer may be due to missing credentials; it may be empty.
	note string
}

func (e *absentError) Error() string {
	return fmt.Sprintf("registry %q answered that it has no such image%s", e.registry, e.note)
}

func (e *absentError) Unwrap() error { return image.ErrNotExist }

// answerError is an answer that was read but cannot be used.
type answerError struct {
	cause string
	err   error
}

func (e *answerError) Error() string { return e.cause }

func (e *answerError) Unwrap() error { return e.err }

// sessionError says that a session with a registry could not begin, so that whatever the registry
// answered says nothing about an image.
type sessionError struct {
	// note tells of pull secrets that could not be used.
	note string
	// token is set where it was asked for a token, which another host may hand out.
	token bool
	err   error
}

func (e *sessionError) Error() string { return e.err.Error() }

func (e *sessionError) Unwrap() error { return e.err }
