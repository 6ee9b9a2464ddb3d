package toolchain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// every is how often a running build is reported. The report is a plain line,
// so that it reads the same in a terminal and in the log of a CI job.
const every = 20 * time.Second

// build is one run of `go build`.
type build struct {
	tool     Tool
	title    string
	position string
	source   string
	out      string
	flags    []string
	progress io.Writer
}

func (b build) run(ctx context.Context) error {
	began := time.Now()
	fmt.Fprintf(b.progress, "building %s (%s), usually %s on 2 cores\n", b.title, b.position, b.tool.Usual)
	if err := b.compile(ctx, began); err != nil {
		return err
	}
	for _, link := range b.tool.Links {
		if err := os.Symlink(b.tool.Binaries[0], filepath.Join(b.out, link)); err != nil {
			return err
		}
	}
	for name, globs := range b.tool.Collect {
		if err := b.collect(ctx, name, globs); err != nil {
			return fmt.Errorf("collecting %s of %s: %w", name, b.title, err)
		}
	}
	fmt.Fprintf(b.progress, "built %s in %s\n", b.title, brief(time.Since(began)))
	return nil
}

// compile runs the go command and reports how many packages it has compiled.
func (b build) compile(ctx context.Context, began time.Time) error {
	target := b.out + string(filepath.Separator)
	if len(b.tool.Packages) == 1 {
		target = filepath.Join(b.out, b.tool.Binaries[0])
	}
	args := append([]string{"build", "-v", "-o", target}, b.flags...)
	command := b.goCommand(ctx, append(args, b.tool.Packages...)...)
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting go build of %s: %w", b.title, err)
	}
	var compiled atomic.Int64
	complaints := make(chan string, 1)
	go func() { complaints <- watch(stderr, &compiled) }()

	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(b.progress, "building %s (%s), %s so far, usually %s on 2 cores; %d packages compiled\n",
				b.title, b.position, brief(time.Since(began)), b.tool.Usual, compiled.Load())
		case text := <-complaints:
			if err := command.Wait(); err != nil {
				return fmt.Errorf("building %s in %s: %w\n%s", b.title, b.source, errors.Join(err, context.Cause(ctx)), text)
			}
			return nil
		}
	}
}

func (b build) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = b.source
	// Neither a workspace around the checkout nor the user's flags may change
	// what is built.
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	return command
}

// watch counts the lines of `go build -v` that name a package and returns the
// other ones, which say what is wrong.
func watch(stderr io.Reader, compiled *atomic.Int64) string {
	var complaints strings.Builder
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading "):
		case !strings.ContainsAny(line, " :#\t"):
			compiled.Add(1)
		default:
			fmt.Fprintln(&complaints, line)
		}
	}
	return complaints.String()
}

// collect concatenates files of the tool's module.
func (b build) collect(ctx context.Context, name string, globs []string) error {
	out, err := b.goCommand(ctx, "list", "-m", "-f", "{{.Dir}}", b.tool.Module).Output()
	if err != nil {
		return fmt.Errorf("running go list -m %s: %w", b.tool.Module, err)
	}
	module := strings.TrimSpace(string(out))
	var documents [][]byte
	for _, glob := range globs {
		files, err := filepath.Glob(filepath.Join(module, glob))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("%s has no file %s", module, glob)
		}
		for _, file := range files {
			if strings.HasPrefix(filepath.Base(file), "kustomization") {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			documents = append(documents, data)
		}
	}
	return os.WriteFile(filepath.Join(b.out, name), bytes.Join(documents, []byte("\n---\n")), 0o644)
}

// brief renders a duration for people: "12 s", "3 min 20 s".
func brief(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	if seconds < 60 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min %02d s", seconds/60, seconds%60)
}
