package audit

import (
	"fmt"
	"io"

	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
)

// eraseLine moves to the line's start and clears it (ECMA-48 EL).
const eraseLine = "\r\x1b[K"

// progress is one line that is drawn over itself, on a terminal only.
type progress struct {
	w     io.Writer
	tty   bool
	drawn bool
}

func newProgress(w io.Writer) *progress { return &progress{w: w, tty: terminal.Is(w)} }

func (p *progress) tell(what string, number int) {
	if p.tty {
		p.drawn = true
		fmt.Fprintf(p.w, "%sreading %s: %d", eraseLine, what, number)
	}
}

// clear takes the line away before anything else is printed.
func (p *progress) clear() {
	if p.drawn {
		p.drawn = false
		fmt.Fprint(p.w, eraseLine)
	}
}
