package exit

import (
	"context"
	"errors"
	"net/url"

	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Code is a process exit code. The codes are a contract with scripts; docs and tests name them.
type Code int

// The exit codes.
const (
	// Done: the command did what it was asked to do.
	Done Code = 0
	// Failed: an error; what was left behind is said in the message.
	Failed Code = 1
	// TakenBack: the release was rolled back or aborted; the workload is as it was before.
	TakenBack Code = 2
	// Waiting: the release stopped because a person has to act: approve, resume or abort.
	Waiting Code = 3
	// Denied: a policy refused the change; nothing was changed.
	Denied Code = 4
	// TimedOut: a deadline passed.
	TimedOut Code = 5
)

// Outcome is an error that already knows its code. Err may be nil where the command has said on
// stdout how it ended and nothing is left to say.
type Outcome struct {
	Code Code
	Err  error
}

// Error implements error.
func (o *Outcome) Error() string {
	if o.Err == nil {
		return ""
	}
	return o.Err.Error()
}

// Unwrap gives the cause.
func (o *Outcome) Unwrap() error { return o.Err }

// With gives an error a code. err may be nil: then nothing is printed for it.
func With(code Code, err error) error { return &Outcome{Code: code, Err: err} }

// CodeOf maps an error to the exit code. An explicit Outcome wins; then a refusal by admission;
// then a deadline, but not that of a single request; everything else is Failed.
func CodeOf(err error) Code {
	if err == nil {
		return Done
	}
	var outcome *Outcome
	if errors.As(err, &outcome) {
		return outcome.Code
	}
	var policy *engine.PolicyError
	if _, denied := denial(err); denied || errors.As(err, &policy) {
		return Denied
	}
	var request *url.Error
	if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &request) {
		return TimedOut
	}
	return Failed
}

// advised is an error with lines that say what was left and how to go on.
type advised struct {
	err   error
	lines []string
}

func (a *advised) Error() string { return a.err.Error() }

func (a *advised) Unwrap() error { return a.err }

// WithAdvice adds lines to an error's message, whatever words are found for the error itself.
func WithAdvice(err error, lines []string) error { return &advised{err: err, lines: lines} }
