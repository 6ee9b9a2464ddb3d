package drive

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// approvalRule ends the webhook's warnings about a missing approval.
const approvalRule = "[approval]"

// warnings prints what the API server warns of. That an approval is missing on a dry run it only keeps
// in mind: it is so for every release that has not been requested yet, and waiting for it is told later.
type warnings struct {
	w  io.Writer
	mu sync.Mutex
	// unapproved tells that an approval was found missing.
	unapproved bool
}

func (o *warnings) print(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.HasSuffix(strings.TrimSpace(text), approvalRule) {
		o.unapproved = true
		return
	}
	fmt.Fprintln(o.w, "Warning:", text)
}

func (o *warnings) approval() bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unapproved
}
