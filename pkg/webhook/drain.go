package webhook

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// errDraining is what the readiness probe gets once this process was told to stop.
var errDraining = errors.New("draining: this process was told to stop")

// drain turns the order to stop into two: first readiness fails while serving goes on, so that
// endpoints and connections move away; the servers stop only after the delay.
type drain struct {
	started atomic.Bool
}

func (d *drain) begun() bool { return d.started.Load() }

// check is a readiness check.
func (d *drain) check(*http.Request) error {
	if d.begun() {
		return errDraining
	}
	return nil
}

// after returns a context that ends the delay after ctx did, or when stop is called.
func (d *drain) after(ctx context.Context, delay time.Duration, c clock.WithTicker, log logr.Logger) (later context.Context, stop context.CancelFunc) {
	later, stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-later.Done():
			return
		case <-ctx.Done():
		}
		d.started.Store(true)
		if delay > 0 {
			log.Info("draining: still serving, no longer ready", "delay", delay.String())
			timer := c.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-later.Done():
			case <-timer.C():
			}
		}
		stop()
	}()
	return later, stop
}
