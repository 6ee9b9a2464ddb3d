package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// verdicts are kept in memory when it is measured.
const verdicts = 10_000

// measureMemory has a fresh rune-webhook verify 10,000 images and looks at its memory.
func measureMemory(ctx context.Context, b *bench) error {
	if err := b.rune.stop(); err != nil {
		return err
	}
	if err := b.rune.start(ctx); err != nil {
		return err
	}
	var err error
	if b.rune.idle, err = b.rune.memory(); err != nil {
		return err
	}
	pods := make(chan []image.Reference)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pods)
		for done := 0; done < verdicts; done += 3 {
			refs, err := b.world.images(eitherFolder, min(3, verdicts-done))
			if err != nil {
				return err
			}
			select {
			case pods <- refs:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range b.concurrency {
		group.Go(func() error {
			for refs := range pods {
				if _, err := b.admit(ctx, refs); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("verifying %d images: %w", verdicts, err)
	}
	loaded, err := b.rune.memory()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.out, "\nmemory of rune-webhook: %.1f MiB idle, %.1f MiB after %d images were verified one by one, at most %.1f MiB\n",
		mebibytes(b.rune.idle.resident), mebibytes(loaded.resident), verdicts, mebibytes(loaded.peak))
	return err
}
