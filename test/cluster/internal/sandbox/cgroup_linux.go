package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// hierarchy is a mounted cgroup file system.
type hierarchy struct {
	path    string
	unified bool
}

// hierarchies returns the cgroup file systems that are mounted, of version 1
// (one for each controller) or 2.
func hierarchies() ([]hierarchy, error) {
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []hierarchy
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 2 && (fields[2] == "cgroup" || fields[2] == "cgroup2") {
			found = append(found, hierarchy{path: fields[1], unified: fields[2] == "cgroup2"})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading /proc/self/mounts: %w", err)
	}
	return found, nil
}

// CreateCgroup makes the cgroup of that name at the root of every hierarchy.
func CreateCgroup(name string) error {
	found, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range found {
		dir := filepath.Join(h.path, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making a cgroup: %w", err)
		}
		if h.unified {
			err = errors.Join(enableControllers(h.path), enableControllers(dir))
		} else {
			err = copyCPUSet(h.path, dir)
		}
		if err != nil {
			return fmt.Errorf("configuring cgroup %s: %w", dir, err)
		}
	}
	return nil
}

// enableControllers lets the children of dir use every controller that dir has.
func enableControllers(dir string) error {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(controllers)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyCPUSet gives a new cgroup of version 1 its parent's processors and memory
// nodes: it begins with none, and then no process may enter it.
func copyCPUSet(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // not the cpuset hierarchy
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), value, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// RemoveCgroup removes the cgroup of that name from every hierarchy, and waits
// until the kernel has taken the last process out of it or ctx ends.
func RemoveCgroup(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	found, err := hierarchies()
	if err != nil {
		return err
	}
	var problems []error
	for _, h := range found {
		problems = append(problems, removeTree(ctx, filepath.Join(h.path, name)))
	}
	return errors.Join(problems...)
}

// removeTree removes a cgroup and those below it: directories, deepest first;
// the files in them are the kernel's.
func removeTree(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(ctx, filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing cgroup: %w", err)
		case <-tick.C:
		}
	}
}
