// Command bench times whole programs side by side and prints medians and ratios.
//
//	bench [-runs N] [-against NAME] NAME=COMMAND...
//
// A command is one string, split at spaces. In every round each command runs once, in the order given,
// so that a machine whose speed drifts slows all of them alike. Ratios are taken round by round. Wall
// time is that of the whole process; memory is the kernel's peak resident set of the process (getrusage).
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sample is one run of one command.
type sample struct {
	wall time.Duration
	cpu  time.Duration
	rss  int64 // bytes
}

// contender is a named command and its samples, one a round.
type contender struct {
	name    string
	argv    []string
	size    int64 // bytes of the program file
	samples []sample
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	runs := flags.Int("runs", 21, "rounds that count; one more goes before, uncounted")
	against := flags.String("against", "", "name of the command that ratios are taken against")
	if err := flags.Parse(args); err != nil {
		return err
	}
	contenders, err := parse(flags.Args())
	if err != nil {
		return err
	}
	for round := range *runs + 1 {
		for _, c := range contenders {
			s, err := c.measure()
			if err != nil {
				return err
			}
			if round > 0 {
				c.samples = append(c.samples, s)
			}
		}
	}
	return report(out, contenders, *against)
}

func parse(args []string) ([]*contender, error) {
	var contenders []*contender
	for _, arg := range args {
		name, command, found := strings.Cut(arg, "=")
		argv := strings.Fields(command)
		if !found || len(argv) == 0 {
			return nil, fmt.Errorf("argument %q is not NAME=COMMAND", arg)
		}
		path, err := exec.LookPath(argv[0])
		if err != nil {
			return nil, fmt.Errorf("finding the program of %q: %w", name, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("reading the size of %q: %w", path, err)
		}
		contenders = append(contenders, &contender{name: name, argv: argv, size: info.Size()})
	}
	if len(contenders) == 0 {
		return nil, errors.New("no commands: give NAME=COMMAND")
	}
	return contenders, nil
}

func (c *contender) measure() (sample, error) {
	command := exec.Command(c.argv[0], c.argv[1:]...) //nolint:noctx // the commands end by themselves
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	started := time.Now()
	err := command.Run()
	wall := time.Since(started)
	if err != nil {
		return sample{}, fmt.Errorf("running %q: %w\n%s", strings.Join(c.argv, " "), err, output.String())
	}
	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, errors.New("this system does not report the memory of a finished process")
	}
	return sample{
		wall: wall,
		cpu:  command.ProcessState.UserTime() + command.ProcessState.SystemTime(),
		rss:  usage.Maxrss * 1024, // Linux counts in KiB: getrusage(2)
	}, nil
}

func report(out io.Writer, contenders []*contender, against string) error {
	var base *contender
	for _, c := range contenders {
		if c.name == against {
			base = c
		}
	}
	if against != "" && base == nil {
		return fmt.Errorf("-against %q names none of the commands", against)
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "COMMAND\tWALL MS\tCPU MS\tPEAK RSS MIB\tSIZE MB\tWALL RATIO\t")
	for _, c := range contenders {
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n", c.name,
			median(c.samples, func(s sample) float64 { return milliseconds(s.wall) }),
			median(c.samples, func(s sample) float64 { return milliseconds(s.cpu) }),
			median(c.samples, func(s sample) float64 { return float64(s.rss) / (1 << 20) }),
			float64(c.size)/1e6, ratio(c, base))
	}
	return table.Flush()
}

// ratio is the median of the wall times of c over those of base, round by round.
func ratio(c, base *contender) string {
	if base == nil {
		return "-"
	}
	ratios := make([]float64, len(c.samples))
	for i := range c.samples {
		ratios[i] = float64(c.samples[i].wall) / float64(base.samples[i].wall)
	}
	return fmt.Sprintf("%.2f", middle(ratios))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(samples []sample, figure func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return middle(values)
}

// middle returns the median of values, and sorts them.
func middle(values []float64) float64 {
	sort.Float64s(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}
