package registry

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Kind of a request.
type Kind string

// The kinds of requests.
const (
	Ping      Kind = "ping"      // GET /v2/, which says how to authenticate
	Head      Kind = "head"      // HEAD of a manifest
	Manifest  Kind = "manifest"  // GET of a manifest by tag or digest
	Blob      Kind = "blob"      // GET of a blob
	Referrers Kind = "referrers" // GET of the referrers of a digest
	Other     Kind = "other"
)

// Counts are requests by kind.
type Counts map[Kind]int

// Total of all kinds but Ping, which is asked once for each connection pool and not for images.
func (c Counts) Total() int {
	total := 0
	for kind, count := range c {
		if kind != Ping {
			total += count
		}
	}
	return total
}

// String lists the kinds that were asked: "blob 1, manifest 1".
func (c Counts) String() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, c[kind]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

type requests struct {
	bytes atomic.Int64

	mu     sync.Mutex
	counts Counts
}

// Requests returns what was asked since the last Forget. A stopped registry counts nothing.
func (r *Registry) Requests() Counts {
	r.requests.mu.Lock()
	defer r.requests.mu.Unlock()
	return maps.Clone(r.requests.counts)
}

// Bytes returns how many bytes of content were sent since the last Forget.
func (r *Registry) Bytes() int64 { return r.requests.bytes.Load() }

// Forget begins to count anew.
func (r *Registry) Forget() {
	r.requests.mu.Lock()
	defer r.requests.mu.Unlock()
	r.requests.counts = nil
	r.requests.bytes.Store(0)
}

func (c *requests) count(request *http.Request) {
	kind := kindOf(request)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = Counts{}
	}
	c.counts[kind]++
}

func kindOf(request *http.Request) Kind {
	path := request.URL.Path
	switch {
	case path == "/v2/" || path == "/v2":
		return Ping
	case strings.Contains(path, "/manifests/") && request.Method == http.MethodHead:
		return Head
	case request.Method != http.MethodGet:
		return Other
	case strings.Contains(path, "/manifests/"):
		return Manifest
	case strings.Contains(path, "/blobs/"):
		return Blob
	case strings.Contains(path, "/referrers/"):
		return Referrers
	}
	return Other
}

// measured adds up what is sent.
type measured struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

// Write implements io.Writer.
func (m *measured) Write(content []byte) (int, error) {
	n, err := m.ResponseWriter.Write(content)
	m.bytes.Add(int64(n))
	return n, err
}
