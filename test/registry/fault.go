package registry

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Fault is a way in which a registry fails.
type Fault string

// The faults, and none.
const (
	Healthy Fault = "healthy"
	// Stopped: nothing listens, so that connections are refused.
	Stopped Fault = "stopped"
	// Hanging: connections and requests are taken and nothing is answered, until the client gives up.
	Hanging Fault = "hanging"
	// Throttled: status 429 with Retry-After of a second.
	Throttled Fault = "429"
	// Unavailable: status 503 without a word of when to come again.
	Unavailable Fault = "503"
)

// Faults are all of them, without Healthy.
func Faults() []Fault { return []Fault{Stopped, Hanging, Throttled, Unavailable} }

// Break makes the registry fail in a way, or heals it. Requests that hang are broken off.
func (r *Registry) Break(ctx context.Context, fault Fault) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch fault {
	case Healthy, Stopped, Hanging, Throttled, Unavailable:
	default:
		return fmt.Errorf("breaking the registry: there is no fault %q", fault)
	}
	r.fault = fault
	close(r.released)
	r.released = make(chan struct{})
	if fault == Stopped {
		return r.stop()
	}
	if r.server == nil {
		return r.serve(ctx)
	}
	return nil
}

// Delay has each answer come later by as much: a registry that far away, over connections that stand.
func (r *Registry) Delay(latency time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latency = latency
}

func (r *Registry) state() (fault Fault, latency time.Duration, released <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault, r.latency, r.released
}

// answer counts a request, fails as it is told, or has it answered.
func (r *Registry) answer(w http.ResponseWriter, request *http.Request) {
	r.requests.count(request)
	fault, latency, released := r.state()
	if latency > 0 {
		timer := time.NewTimer(latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-request.Context().Done():
			return
		}
	}
	switch fault {
	case Hanging:
		select {
		case <-released:
			panic(http.ErrAbortHandler)
		case <-request.Context().Done():
		}
	case Throttled:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "too many requests")
	case Unavailable:
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE", "the service is unavailable")
	default:
		r.handler(request.URL.Path).ServeHTTP(&measured{ResponseWriter: w, bytes: &r.requests.bytes}, request)
	}
}

// refuse answers in the form of the OCI distribution specification.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message) // the client may have gone
}
