// Command admission measures what an admission costs: reviews of Pods that keep every rule are replayed
// over HTTP/2 and TLS against rune-webhook and against the least that a webhook can do (the floor), in
// turns, so that a machine whose speed drifts slows both alike. Ratios are taken round by round; what is
// printed are medians.
//
//	admission [-signatures] [-rounds N] [-requests N] -webhook FILE -floor FILE -rules DIRECTORY
//
// With -signatures it measures what signatures cost on top, with a registry on loopback: verified images
// beside the same rules without signatures, new images beside the bare requests and the check of a
// signature, a registry that is 20 ms away, and the memory of 10,000 verdicts.
//
// No two reviews are alike, so that nothing can be answered from a cache of answers, and every answer is
// looked at. Before the first round a Pod that breaks rules must be refused.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

type options struct {
	webhook, floor, rules         string
	rounds, requests, concurrency int
	signatures                    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("admission", flag.ContinueOnError)
	flags.StringVar(&o.webhook, "webhook", "bin/rune-webhook", "the program rune-webhook")
	flags.StringVar(&o.floor, "floor", "", "the program of the folder floor")
	flags.StringVar(&o.rules, "rules", "hack/bench/admission/rules", "directory with the Environment bench")
	flags.IntVar(&o.rounds, "rounds", 9, "rounds that count; one more goes before, uncounted")
	flags.IntVar(&o.requests, "requests", 1500, "reviews per server, case and round")
	flags.IntVar(&o.concurrency, "concurrency", 8, "reviews under way at the same time")
	flags.BoolVar(&o.signatures, "signatures", false, "measure signatures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "rune-bench-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if o.signatures {
		return runSignatures(ctx, o, directory, out)
	}
	return runRules(ctx, o, directory, out)
}

// runRules measures the rules that one object can be judged by.
func runRules(ctx context.Context, o options, directory string, out io.Writer) (err error) {
	floor, rune, err := o.servers(directory)
	if err != nil {
		return err
	}
	l := &load{concurrency: o.concurrency}
	for _, s := range []*server{floor, rune} {
		if err := s.start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
	}
	if err := verify(ctx, l, floor, rune); err != nil {
		return err
	}
	for _, s := range []*server{floor, rune} {
		if s.idle, err = s.memory(); err != nil {
			return err
		}
	}
	cases, err := measureAll(ctx, l, o, floor, rune)
	if err != nil {
		return err
	}
	return report(out, cases, floor, rune)
}

// servers describes both programs. They serve with certificates of the same kind, made by rune-webhook.
func (o options) servers(directory string) (floor, rune *server, err error) {
	certificates := filepath.Join(directory, "certificates")
	own := filepath.Join(directory, "floor")
	if err := makeCertificate(own); err != nil {
		return nil, nil, err
	}
	floor = &server{
		name: "floor", log: filepath.Join(directory, "floor.log"), ca: filepath.Join(own, "tls.crt"),
		argv: []string{o.floor, "-port", "PORT", "-cert-dir", own},
	}
	rune = &server{
		name: "rune-webhook", log: filepath.Join(directory, "rune.log"), ca: filepath.Join(certificates, "ca.crt"),
		argv: []string{o.webhook, "--config", o.rules, "--url", "https://127.0.0.1:PORT", "--cert-dir", certificates},
	}
	return floor, rune, nil
}

// paths of the endpoints that are measured.
const (
	floorPath    = "/allow"
	validatePath = "/validate/" + environment
	mutatePath   = "/mutate/" + environment
)

// measured is one size of review at one door, with the samples of both servers, one a round.
type measured struct {
	name, path  string
	review      *review
	floor, rune []sample
}

func measureAll(ctx context.Context, l *load, o options, floor, rune *server) ([]*measured, error) {
	var cases []*measured
	for _, containers := range []int{3, 1} {
		pod, err := newPod(containers)
		if err != nil {
			return nil, err
		}
		r, err := newReview(pod)
		if err != nil {
			return nil, err
		}
		size := fmt.Sprintf("pod%d", containers)
		cases = append(cases, &measured{name: size + " validate", path: validatePath, review: r},
			&measured{name: size + " mutate", path: mutatePath, review: r})
	}
	for round := range o.rounds + 1 {
		for i, c := range cases {
			a, b, err := c.round(ctx, l, o.requests, floor, rune, (round+i)%2 == 1)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				c.floor, c.rune = append(c.floor, a), append(c.rune, b)
			}
		}
	}
	return cases, nil
}

// round measures both servers; who comes first changes from round to round.
func (c *measured) round(ctx context.Context, l *load, requests int, floor, rune *server, swap bool) (a, b sample, err error) {
	if swap {
		if b, err = l.measure(ctx, rune, c.path, c.review, requests); err != nil {
			return a, b, err
		}
		a, err = l.measure(ctx, floor, floorPath, c.review, requests)
		return a, b, err
	}
	if a, err = l.measure(ctx, floor, floorPath, c.review, requests); err != nil {
		return a, b, err
	}
	b, err = l.measure(ctx, rune, c.path, c.review, requests)
	return a, b, err
}

// verify makes sure that judgements are measured, and not errors: a good Pod enters, a bad one does not.
func verify(ctx context.Context, l *load, floor, rune *server) error {
	good, err := newPod(3)
	if err != nil {
		return err
	}
	bad := good.DeepCopy()
	bad.Spec.Containers[1].SecurityContext = nil
	bad.Spec.Containers[2].Resources.Limits = nil
	tests := []struct {
		server  *server
		path    string
		bad     bool
		allowed bool
	}{
		{floor, floorPath, false, true},
		{floor, floorPath, true, true},
		{rune, validatePath, false, true},
		{rune, validatePath, true, false},
		{rune, mutatePath, false, true},
	}
	for _, test := range tests {
		pod := good
		if test.bad {
			pod = bad
		}
		r, err := newReview(pod)
		if err != nil {
			return err
		}
		response, err := l.decide(ctx, test.server, test.path, r)
		if err != nil {
			return fmt.Errorf("asking %s: %w", test.server.name, err)
		}
		if response.Allowed != test.allowed {
			return fmt.Errorf("%w: %s%s says allowed=%v (Pod that breaks rules: %v): %v",
				errAnswer, test.server.name, test.path, response.Allowed, test.bad, response.Result)
		}
	}
	return nil
}
