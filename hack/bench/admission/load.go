package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admission/v1"
)

// sample is what one server did in one round of one case.
type sample struct {
	rate     float64 // requests per second
	p50, p99 time.Duration
	cpu      time.Duration // of the server, per request
}

// load sends reviews over one HTTP/2 connection.
type load struct {
	concurrency int
	// number of the last review: no two are alike, in the whole run.
	number atomic.Int64
}

// errAnswer is an answer that is not the one that the load is to measure.
var errAnswer = errors.New("the answer is wrong")

// ask sends one review and returns the answer's body.
func (l *load) ask(ctx context.Context, s *server, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.address()+path+"?timeout=10s", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s, status %s: %s", errAnswer, response.Proto, response.Status, answer)
	}
	return answer, nil
}

// allowed tells an answer that admits from all others.
func allowed(answer []byte) error {
	if !bytes.Contains(answer, []byte(`"allowed":true`)) {
		return fmt.Errorf("%w: %s", errAnswer, answer)
	}
	return nil
}

// decide sends one review and returns the response in it.
func (l *load) decide(ctx context.Context, s *server, path string, r *review) (*admissionv1.AdmissionResponse, error) {
	answer, err := l.ask(ctx, s, path, r.body(int(l.number.Add(1))))
	if err != nil {
		return nil, err
	}
	var decoded admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &decoded); err != nil {
		return nil, fmt.Errorf("reading %s: %w", answer, err)
	}
	if decoded.Response == nil {
		return nil, fmt.Errorf("%w: %s", errAnswer, answer)
	}
	return decoded.Response, nil
}

// measure sends count reviews and expects each to be allowed, under its own UID.
func (l *load) measure(ctx context.Context, s *server, path string, r *review, count int) (sample, error) {
	took := make([]time.Duration, count)
	bodies := make([][]byte, count)
	uids := make([][]byte, count)
	for i := range bodies {
		number := int(l.number.Add(1))
		bodies[i] = r.body(number)
		uids[i] = fmt.Appendf(nil, `%0*d"`, len(mark), number)
	}
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	started := time.Now()
	for range l.concurrency {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return nil
				}
				sent := time.Now()
				answer, err := l.ask(ctx, s, path, bodies[i])
				took[i] = time.Since(sent)
				if err != nil {
					return err
				}
				if !bytes.Contains(answer, []byte(`"allowed":true`)) || !bytes.Contains(answer, uids[i]) {
					return fmt.Errorf("%w: %s answers %s", errAnswer, s.name, answer)
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return sample{}, fmt.Errorf("measuring %s: %w", s.name, err)
	}
	wall := time.Since(started)
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	slices.Sort(took)
	return sample{
		rate: float64(count) / wall.Seconds(),
		p50:  took[count/2], p99: took[count*99/100],
		cpu: (after - before) / time.Duration(count),
	}, nil
}
