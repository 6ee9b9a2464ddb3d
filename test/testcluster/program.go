package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the module that holds this package and, below it, test/cluster.
const module = "github.com/runeframeos/kubectl-rune"

// program is the path of runecluster.
type program string

// newProgram returns $RUNE_BIN/runecluster or, without RUNE_BIN, the program
// built from the checkout around the working directory; the go command's cache
// makes that quick.
func newProgram(ctx context.Context) (program, error) {
	if dir := os.Getenv("RUNE_BIN"); dir != "" {
		path := filepath.Join(dir, "runecluster")
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("looking for runecluster in RUNE_BIN: %w; build it: make runecluster", err)
		}
		return program(path), nil
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("looking for the checkout of %s: %w", module, err)
	}
	root := strings.TrimSpace(string(out))
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "kubectl-rune", "runecluster")
	build := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(root, "test", "cluster"), "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building runecluster: %w\n%s", err, out)
	}
	return program(path), nil
}

// run returns what the program prints. Its progress goes to standard error as
// it comes, for whoever watches a cold build, and into the error.
func (p program) run(ctx context.Context, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, string(p), args...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	var stdout, stderr bytes.Buffer
	command.Stdout = &stdout
	command.Stderr = io.MultiWriter(&stderr, os.Stderr)
	if args[0] == "status" { // not being up is an answer
		command.Stderr = &stderr
	}
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("running runecluster %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), err
}

// line returns the line that the program prints.
func (p program) line(ctx context.Context, args ...string) (string, error) {
	out, err := p.run(ctx, args...)
	return strings.TrimSpace(string(out)), err
}

// Tool returns the path of a program of the test cluster's tools, such as cosign, after building it if
// need be. It needs no cluster.
func Tool(ctx context.Context, name string) (string, error) {
	found, err := newProgram(ctx)
	if err != nil {
		return "", err
	}
	return found.line(ctx, "tool", name)
}
