package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Options say what is read.
type Options struct {
	// Filenames are files, directories and "-" for Stdin.
	Filenames []string
	// Kustomizations are directories that hold a kustomization file.
	Kustomizations []string
	// Recursive reads the directories below those of Filenames too.
	Recursive bool
	// Stdin is read where Filenames hold "-".
	Stdin io.Reader
}

// Set is what was read.
type Set struct {
	// Objects in the order of files and, within a file, of lines.
	Objects []*Object
	// Problems of everything that could not be read; the objects beside them are read all the same.
	Problems []*Problem
	// Files that were read or tried; a kustomization counts as one.
	Files int
}

// Read reads everything at once. Its error is that of ctx; what cannot be read is a Problem.
func Read(ctx context.Context, o Options) (*Set, error) {
	files, problems := gather(o.Filenames, o.Recursive)
	set := &Set{Problems: problems, Files: len(files) + len(o.Kustomizations)}
	type outcome struct {
		objects []*Object
		problem *Problem
	}
	outcomes := make([]outcome, len(files))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		group.Go(func() error {
			if file.name == Stdin {
				return interruptible(working, func() { outcomes[i].objects, outcomes[i].problem = readFile(file.name, o.Stdin) })
			}
			outcomes[i].objects, outcomes[i].problem = readFile(file.name, o.Stdin)
			return working.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, ended(ctx, err)
	}
	for i, file := range files {
		set.Objects = append(set.Objects, outcomes[i].objects...)
		switch {
		case outcomes[i].problem != nil:
			set.Problems = append(set.Problems, outcomes[i].problem)
		case len(outcomes[i].objects) == 0 && !file.found:
			set.Problems = append(set.Problems, &Problem{File: file.name, Message: "holds no Kubernetes object"})
		}
	}
	// kustomize keeps its schema in package variables: one at a time.
	for _, directory := range o.Kustomizations {
		if err := ctx.Err(); err != nil {
			return nil, ended(ctx, err)
		}
		objects, problem := build(directory)
		set.Objects = append(set.Objects, objects...)
		if problem != nil {
			set.Problems = append(set.Problems, problem)
		}
	}
	return set, nil
}

// interruptible waits for do or for the end of ctx. A read of a terminal or a pipe cannot be ended: it is left behind, and
// what it reads is used by nobody.
func interruptible(ctx context.Context, do func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ended is the cause of a context's end where it has one ("interrupted"), else the error.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return fmt.Errorf("reading manifests: %w", err)
}

// readFile reads a file up to the size that Parse refuses.
func readFile(name string, stdin io.Reader) ([]*Object, *Problem) {
	reader := stdin
	if name != Stdin {
		file, err := os.Open(name)
		if err != nil {
			return nil, &Problem{File: name, Message: reason(err)}
		}
		defer file.Close()
		reader = file
	}
	content, err := io.ReadAll(io.LimitReader(reader, maxBytes+1))
	if err != nil {
		return nil, &Problem{File: name, Message: reason(err)}
	}
	return Parse(name, content)
}
