package configuration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

// Read reads directories and files; one that is named twice is read once. Two of them may not hold an object of the
// same kind and name.
func Read(ctx context.Context, loader *files.Loader, paths []string) (*files.Set, error) {
	all := &files.Set{}
	var errs []error
	origin := map[string]string{}
	once := func(title, path string) {
		if first, twice := origin[title]; twice {
			errs = append(errs, fmt.Errorf("reading --config: %s stands in %s and in %s", title, first, path))
		}
		origin[title] = path
	}
	for i, path := range paths {
		if slices.Contains(paths[:i], path) {
			continue
		}
		found, err := load(ctx, loader, path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i := range found.Environments {
			once(fmt.Sprintf("Environment %q", found.Environments[i].Name), path)
		}
		for i := range found.ImagePolicies {
			once(fmt.Sprintf("ImagePolicy %q", found.ImagePolicies[i].Name), path)
		}
		all.Environments = append(all.Environments, found.Environments...)
		all.ImagePolicies = append(all.ImagePolicies, found.ImagePolicies...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// load reads a directory or one file.
func load(ctx context.Context, loader *files.Loader, path string) (*files.Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading --config: %w", err)
	}
	directory, where := os.DirFS(path), path
	if !info.IsDir() {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading --config: %w", err)
		}
		directory, where = OneFile{Name: filepath.Base(path), Content: content}, filepath.Dir(path)
	}
	set, err := loader.Load(ctx, directory)
	if err != nil {
		return nil, fmt.Errorf("reading --config in %s:\n%w", where, err)
	}
	return set, nil
}
