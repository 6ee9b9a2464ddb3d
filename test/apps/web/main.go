// Command web is the workload that Rune's demo and its end-to-end tests release.
//
// Everything about it is decided by its environment, so that one static binary makes every image:
// VERSION is answered on every path, FAIL_EVERY=2 answers every second request with status 500.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// drain is how long a terminating pod goes on answering: long enough for every node to have taken it
// out of its Services.
const drain = 3 * time.Second

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	failEvery, err := failEveryFromEnv()
	if err != nil {
		return err
	}
	app := &app{version: os.Getenv("VERSION"), failEvery: failEvery}
	server := &http.Server{Addr: ":8080", Handler: app.handler(), ReadHeaderTimeout: 5 * time.Second}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	log.Printf("web %s answers on %s", app.version, server.Addr)

	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	time.Sleep(drain)
	shutdown, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(shutdown); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("shutting down: %w", err)
	}
	return nil
}

// failEveryFromEnv reads FAIL_EVERY: 0 or absent never fails, 2 fails every second request.
func failEveryFromEnv() (uint64, error) {
	value := os.Getenv("FAIL_EVERY")
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("reading FAIL_EVERY: %w", err)
	}
	return n, nil
}

type app struct {
	version   string
	failEvery uint64
	served    atomic.Uint64
}

// handler answers the kubelet's probes honestly and everything else with the version, or with the
// fault that the image was made to have.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/ready", a.answer)
	mux.HandleFunc("GET /health/live", a.answer)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if n := a.served.Add(1); a.failEvery > 0 && n%a.failEvery == 0 {
			http.Error(w, "this version has a fault", http.StatusInternalServerError)
			return
		}
		a.answer(w, r)
	})
	return mux
}

func (a *app) answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Version", a.version)
	_, _ = fmt.Fprintln(w, a.version)
}
