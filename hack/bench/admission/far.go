package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"
)

// Where the registry is, and how many Pods come.
const (
	farAway = 20 * time.Millisecond
	farPods = 51
	farOnce = 3 // images in each
)

// measureFar admits Pods with three new images each from a registry that is 20 ms away.
func measureFar(ctx context.Context, b *bench) error {
	b.world.registry.Delay(farAway)
	defer b.world.registry.Delay(0)
	_, _ = fmt.Fprintf(b.out, "\n%d new images in one Pod, from a registry whose answers take %s; %d Pods\n", farOnce, farAway, farPods)
	table := tabwriter.NewWriter(b.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "SIGNED BY\tADMISSION P50 MS\tP90\tMAX\t")
	for _, folder := range []string{tagFolder, eitherFolder, bundleFolder} {
		var times []time.Duration
		for i := range farPods + 1 {
			if i == 1 { // the first opens connections
				times = nil
			}
			if err := b.timedAdmission(ctx, folder, farOnce, &times); err != nil {
				return err
			}
		}
		slices.Sort(times)
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t\n", folder, milliseconds(percentile(times, 50)),
			milliseconds(percentile(times, 90)), milliseconds(percentile(times, 100)))
	}
	return table.Flush()
}
