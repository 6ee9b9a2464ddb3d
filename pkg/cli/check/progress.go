package check

import (
	"fmt"
	"io"
	"sync"

	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
)

// progressEvery is the number of objects between two redraws, and the least number that is worth a line at all.
const progressEvery = 100

// progress is a line on a terminal that tells how far the judgement is. On anything else it is silent.
type progress struct {
	w     io.Writer
	total int

	mu   sync.Mutex
	done int
}

func newProgress(w io.Writer, total int) *progress {
	if !terminal.Is(w) || total < progressEvery {
		return &progress{}
	}
	return &progress{w: w, total: total}
}

// step counts one object.
func (p *progress) step() {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.done%progressEvery == 0 {
		fmt.Fprintf(p.w, "\rjudging: %d of %d objects", p.done, p.total)
	}
}

// end clears the line (ECMA-48 EL).
func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
