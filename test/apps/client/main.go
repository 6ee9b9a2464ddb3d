// Command client sends steady traffic to TARGET and counts the answers.
//
// It opens a new connection for each request, so that every request may reach any ready pod, and
// serves the counts as JSON on :8080/stats. RATE is in requests per second.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// timeout bounds one request; a slower answer is a failed request.
const timeout = 2 * time.Second

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	target := os.Getenv("TARGET")
	rate, err := strconv.Atoi(os.Getenv("RATE"))
	if err != nil || rate < 1 || rate > 1000 || target == "" {
		return fmt.Errorf("set TARGET to a URL and RATE to 1 to 1000 requests per second")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	counts := newCounts()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", counts.serve)
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	go send(ctx, target, rate, counts)
	if err := server.ListenAndServe(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// send starts a request at every tick and does not wait for its answer, so that a slow answer does
// not thin the traffic.
func send(ctx context.Context, target string, rate int, counts *counts) {
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			go func() { counts.add(get(ctx, client, target)) }()
		}
	}
}

// get returns the version that answered, or why there was none.
func get(ctx context.Context, client *http.Client, target string) (version, failure string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", "reading the answer: " + err.Error()
	}
	if response.StatusCode != http.StatusOK {
		return "", "status " + strconv.Itoa(response.StatusCode)
	}
	return response.Header.Get("X-Version"), ""
}

// counts of answers since the start.
type counts struct {
	mu       sync.Mutex
	Requests int            `json:"requests"`
	Failed   int            `json:"failed"`
	Versions map[string]int `json:"versions"`
	Failures map[string]int `json:"failures"`
}

func newCounts() *counts {
	return &counts{Versions: map[string]int{}, Failures: map[string]int{}}
}

func (c *counts) add(version, failure string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Requests++
	if failure != "" {
		c.Failed++
		c.Failures[failure]++
		return
	}
	c.Versions[version]++
}

func (c *counts) serve(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(c); err != nil {
		log.Printf("writing the counts: %v", err)
	}
}
