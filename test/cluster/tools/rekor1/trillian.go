package main

import (
	"context"
	"net"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	sequencing "github.com/google/trillian/log"
	"github.com/google/trillian/monitoring"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc"
)

// Every interval, at most a batch of entries enters the tree. Whoever signs
// waits for that.
const (
	interval = 20 * time.Millisecond
	batch    = 100
)

// serveTrillian serves a log in memory, and enters in it what it is told to.
func serveTrillian(ctx context.Context, listener net.Listener, time clock.TimeSource) error {
	trees := memory.NewTreeStorage()
	registry := extension.Registry{
		AdminStorage: memory.NewAdminStorage(trees), LogStorage: memory.NewLogStorage(trees, nil),
		QuotaManager: quota.Noop(), MetricFactory: monitoring.InertMetricFactory{},
	}
	entering := sequencing.NewOperationManager(sequencing.OperationInfo{
		Registry: registry, BatchSize: batch, NumWorkers: 1, RunInterval: interval, TimeSource: time,
	}, sequencing.NewSequencerManager(registry, 0))
	go entering.OperationLoop(ctx)
	s := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(s, admin.New(registry, nil))
	trillian.RegisterTrillianLogServer(s, server.NewTrillianLogRPCServer(registry, time))
	return s.Serve(listener)
}

// ahead is a clock that is wrong by so much.
type ahead struct {
	clock.TimeSource
	by time.Duration
}

// Now implements clock.TimeSource.
func (a ahead) Now() time.Time { return a.TimeSource.Now().Add(a.by) }
