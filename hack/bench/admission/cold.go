package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// coldImages are measured of each format, after a few that are not.
const (
	coldImages  = 300
	coldWarmups = 20
)

// measureCold verifies new images one after another: by bare requests and one check of a signature, by the same
// with the requests of Rune's registry client, by package signature in this process, and by an admission through
// rune-webhook, in turns.
func measureCold(ctx context.Context, b *bench) error {
	bare, err := newRaw(b.world.key.PEM, nil)
	if err != nil {
		return err
	}
	client, err := registry.New(registry.Config{})
	if err != nil {
		return err
	}
	through, err := newRaw(b.world.key.PEM, clientRequests(client))
	if err != nil {
		return err
	}
	verifier, err := signature.New(signature.Config{})
	if err != nil {
		return err
	}
	compiler, err := proof.NewCompiler()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(b.out, "\nnew images, one at a time; %d of each, in turns\n", coldImages)
	table := tabwriter.NewWriter(b.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "SIGNED BY\tREQUESTS\tBARE P50 MS\tP99\tOWN CLIENT P50 MS\tP99\tVERIFICATION P50 MS\tP99\tOF BARE\tOF OWN CLIENT\tADMISSION P50 MS\tP99\t")
	for _, folder := range []string{tagFolder, bundleFolder, eitherFolder} {
		requirement, err := compiler.Compile(b.world.policies[folder])
		if err != nil {
			return err
		}
		row := &coldRow{folder: folder}
		ways := []func() error{
			func() error {
				return b.timed(folder, &row.bare, func(ref image.Reference) error { return bare.verify(ctx, folder, ref) })
			},
			func() error {
				return b.timed(folder, &row.client, func(ref image.Reference) error { return through.verify(ctx, folder, ref) })
			},
			func() error {
				err := b.timed(folder, &row.verification, func(ref image.Reference) error { return verifyOne(ctx, verifier, requirement, ref) })
				row.requests = b.world.registry.Requests().Total()
				return err
			},
			func() error { return b.timedAdmission(ctx, folder, 1, &row.admission) },
		}
		for i := range coldWarmups + coldImages {
			if i == coldWarmups {
				row.bare, row.client, row.verification, row.admission = nil, nil, nil, nil
			}
			for j := range ways {
				if err := ways[(i+j)%len(ways)](); err != nil {
					return err
				}
			}
		}
		row.print(table)
	}
	return table.Flush()
}

type coldRow struct {
	folder                                string
	requests                              int
	bare, client, verification, admission []time.Duration
}

func (r *coldRow) print(table *tabwriter.Writer) {
	for _, times := range [][]time.Duration{r.bare, r.client, r.verification, r.admission} {
		slices.Sort(times)
	}
	what := map[string]string{
		tagFolder: "key, tag .sig", bundleFolder: "key, bundle", eitherFolder: "key, .sig, format not named",
	}[r.folder]
	_, _ = fmt.Fprintf(table, "%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\t%.3f\t%.3f\t\n", what, r.requests,
		milliseconds(percentile(r.bare, 50)), milliseconds(percentile(r.bare, 99)),
		milliseconds(percentile(r.client, 50)), milliseconds(percentile(r.client, 99)),
		milliseconds(percentile(r.verification, 50)), milliseconds(percentile(r.verification, 99)),
		float64(percentile(r.verification, 50))/float64(percentile(r.bare, 50)),
		float64(percentile(r.verification, 50))/float64(percentile(r.client, 50)),
		milliseconds(percentile(r.admission, 50)), milliseconds(percentile(r.admission, 99)))
}

// timed takes the time of what is done with a new image of a repository that was asked before, which is how most new
// images come.
func (b *bench) timed(folder string, times *[]time.Duration, do func(image.Reference) error) error {
	first, err := b.world.images(folder, 1)
	if err != nil {
		return err
	}
	second, err := b.world.siblings(folder, first)
	if err != nil {
		return err
	}
	if err := do(first[0]); err != nil {
		return fmt.Errorf("verifying %s: %w", first[0], err)
	}
	b.world.registry.Forget()
	began := time.Now()
	err = do(second[0])
	*times = append(*times, time.Since(began))
	if err != nil {
		return fmt.Errorf("verifying %s: %w", second[0], err)
	}
	return nil
}

// timedAdmission takes the time of the admission of a Pod of new images, likewise.
func (b *bench) timedAdmission(ctx context.Context, folder string, containers int, times *[]time.Duration) error {
	first, err := b.world.images(folder, containers)
	if err != nil {
		return err
	}
	second, err := b.world.siblings(folder, first)
	if err != nil {
		return err
	}
	if _, err := b.admit(ctx, first); err != nil {
		return err
	}
	took, err := b.admit(ctx, second)
	*times = append(*times, took)
	return err
}

// admit returns how long the answer took that admits a Pod of images.
func (b *bench) admit(ctx context.Context, refs []image.Reference) (time.Duration, error) {
	r, err := b.world.review(refs...)
	if err != nil {
		return 0, err
	}
	body := r.body(int(b.load.number.Add(1)))
	began := time.Now()
	answer, err := b.load.ask(ctx, b.rune, signedPath, body)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	return took, allowed(answer)
}

func verifyOne(ctx context.Context, verifier *signature.Verifier, requirement *proof.Requirement, ref image.Reference) error {
	finding, err := verifier.Verify(ctx, proof.Question{Image: ref, Requirement: requirement, Environment: signedEnvironment, Now: time.Now()})
	if err == nil && !finding.Outcome.Satisfied {
		err = fmt.Errorf("%w: %v", errAnswer, finding.Outcome.Reasons)
	}
	return err
}
