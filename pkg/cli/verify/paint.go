package verify

import (
	"io"
	"os"

	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
)

// mark stands before each authority and attestation.
type mark string

// The marks, all of the same width.
const (
	markOK      mark = "ok  "
	markFailed  mark = "FAIL"
	markSkipped mark = "-   "

	markWidth = 4
)

// paint colours words on a terminal; the zero value leaves them as they are.
type paint struct{ colours bool }

// newPaint colours where people look: on a terminal that can, unless NO_COLOR is set (https://no-color.org).
func newPaint(w io.Writer) paint {
	return paint{colours: terminal.Is(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Select Graphic Rendition (ECMA-48) of the three sorts of words.
const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	normal = "\x1b[0m"
)

func (p paint) in(colour, text string) string {
	if !p.colours {
		return text
	}
	return colour + text + normal
}

func (p paint) mark(m mark) string {
	switch m {
	case markOK:
		return p.in(green, string(m))
	case markFailed:
		return p.in(red, string(m))
	}
	return string(m)
}

// result in words; what is not satisfied is loud without colours too.
func (p paint) result(r Result) string {
	switch r {
	case Satisfied:
		return p.in(green, "satisfied")
	case NotSatisfied:
		return p.in(red, "NOT SATISFIED")
	case NoPolicy:
		return p.in(red, "NOT COVERED")
	case NoImage:
		return p.in(red, "DOES NOT EXIST")
	}
	return p.in(yellow, "UNKNOWN")
}
