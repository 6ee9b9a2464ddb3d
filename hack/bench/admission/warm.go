package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"
)

// contestant is a program and one of its endpoints.
type contestant struct {
	name    string
	server  *server
	path    string
	review  *review
	samples []sample
}

// measureWarm replays reviews of Pods whose images were verified before, in the Environment with signatures and in
// the one without, and at the floor.
func measureWarm(ctx context.Context, b *bench) error {
	_, _ = fmt.Fprintf(b.out, "verified images; %d rounds of %d reviews, %d at a time; ratios round by round\n", b.rounds, b.requests, b.concurrency)
	table := tabwriter.NewWriter(b.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "REVIEW\tENVIRONMENT\tREQ/S\tP50 MS\tP99 MS\tCPU MS\tREQ/S OF FLOOR\tCPU WITH/WITHOUT\tP50\tP99\t")
	for _, containers := range []int{3, 1} {
		contestants, err := b.contestants(ctx, containers)
		if err != nil {
			return err
		}
		if err := b.play(ctx, contestants); err != nil {
			return err
		}
		floor, without, with := contestants[0], contestants[1], contestants[2]
		for _, c := range contestants {
			_, _ = fmt.Fprintf(table, "pod%d\t%s\t%s\t%.2f\t", containers, c.name, columns(c.samples),
				ratio(c.samples, floor.samples, func(s sample) float64 { return s.rate }))
			if c == with {
				_, _ = fmt.Fprintf(table, "%.2f\t%.2f\t%.2f\t",
					ratio(with.samples, without.samples, func(s sample) float64 { return float64(s.cpu) }),
					ratio(with.samples, without.samples, func(s sample) float64 { return float64(s.p50) }),
					ratio(with.samples, without.samples, func(s sample) float64 { return float64(s.p99) }))
			} else {
				_, _ = fmt.Fprint(table, "\t\t\t")
			}
			_, _ = fmt.Fprintln(table)
		}
	}
	return table.Flush()
}

// contestants judge the same Pod, but for its namespace. Its images are verified when they return.
func (b *bench) contestants(ctx context.Context, containers int) ([]*contestant, error) {
	pod, err := newPod(containers)
	if err != nil {
		return nil, err
	}
	for i := range pod.Spec.Containers {
		ref, err := b.world.image(eitherFolder)
		if err != nil {
			return nil, err
		}
		pod.Spec.Containers[i].Image = ref.Name() + "@" + ref.Digest
	}
	in := func(namespace string) (*review, error) {
		pod := pod.DeepCopy()
		pod.Namespace = namespace
		return newReview(pod)
	}
	plain, err := in(namespace)
	if err != nil {
		return nil, err
	}
	signed, err := in(signedNamespace)
	if err != nil {
		return nil, err
	}
	response, err := b.load.decide(ctx, b.rune, signedPath, signed)
	if err != nil {
		return nil, err
	}
	if !response.Allowed {
		return nil, fmt.Errorf("%w: signed images are refused: %v", errAnswer, response.Result)
	}
	return []*contestant{
		{name: "floor", server: b.floor, path: floorPath, review: plain},
		{name: "without", server: b.rune, path: validatePath, review: plain},
		{name: "signatures", server: b.rune, path: signedPath, review: signed},
	}, nil
}

// play measures all contestants in each round; who comes first changes. The registry must not be asked.
func (b *bench) play(ctx context.Context, contestants []*contestant) error {
	b.world.registry.Forget()
	for round := range b.rounds + 1 {
		for i := range contestants {
			c := contestants[(round+i)%len(contestants)]
			s, err := b.load.measure(ctx, c.server, c.path, c.review, b.requests)
			if err != nil {
				return err
			}
			if round > 0 {
				c.samples = append(c.samples, s)
			}
		}
	}
	if asked := b.world.registry.Requests(); len(asked) > 0 {
		return fmt.Errorf("%w: verified images were asked for: %s", errAnswer, asked)
	}
	return nil
}

// ratio is the median of a figure over another's, round by round.
func ratio(of, over []sample, figure func(sample) float64) float64 {
	return (&measured{rune: of, floor: over}).ratio(figure)
}

// percentile of times that are sorted.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}
