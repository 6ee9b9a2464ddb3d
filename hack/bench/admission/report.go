package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints the medians of all rounds and the medians of the ratios within each round.
func report(out io.Writer, cases []*measured, servers ...*server) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "REVIEW\tBYTES\tFLOOR REQ/S\tP50 MS\tP99 MS\tCPU MS\tRUNE REQ/S\tP50 MS\tP99 MS\tCPU MS\tCPU RATIO\tP50 RATIO\tP99 RATIO\t")
	for _, c := range cases {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%.2f\t%.2f\t%.2f\t\n", c.name, c.review.size, columns(c.floor), columns(c.rune),
			c.ratio(func(s sample) float64 { return float64(s.cpu) }),
			c.ratio(func(s sample) float64 { return float64(s.p50) }),
			c.ratio(func(s sample) float64 { return float64(s.p99) }))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	table = tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\nPROGRAM\tRSS IDLE MIB\tRSS LOADED MIB\tPEAK MIB\t")
	for _, s := range servers {
		loaded, err := s.memory()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t\n", s.name, mebibytes(s.idle.resident), mebibytes(loaded.resident), mebibytes(loaded.peak))
	}
	return table.Flush()
}

func columns(samples []sample) string {
	return fmt.Sprintf("%.0f\t%.2f\t%.2f\t%.3f",
		median(samples, func(s sample) float64 { return s.rate }),
		median(samples, func(s sample) float64 { return milliseconds(s.p50) }),
		median(samples, func(s sample) float64 { return milliseconds(s.p99) }),
		median(samples, func(s sample) float64 { return milliseconds(s.cpu) }))
}

// ratio is the median of a figure of rune-webhook over the floor's, round by round.
func (c *measured) ratio(figure func(sample) float64) float64 {
	ratios := make([]float64, len(c.floor))
	for i := range c.floor {
		ratios[i] = figure(c.rune[i]) / figure(c.floor[i])
	}
	return middle(ratios)
}

func median(samples []sample, figure func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return middle(values)
}

// middle returns the median, of a copy.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
