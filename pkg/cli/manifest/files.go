package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
)

// Stdin is the name of the standard input.
const Stdin = "-"

// extensions of the files that are read of a directory; as kubectl's.
func extensions() []string { return []string{".json", ".yaml", ".yml"} }

// gather lists the files that names stand for, each once, in the order given and within a directory by name.
func gather(names []string, recursive bool) (files []string, problems []*Problem) {
	seen := map[string]bool{}
	for _, name := range names {
		found, problem := filesOf(name, recursive)
		if problem != nil {
			problem.File = name
			problems = append(problems, problem)
		}
		for _, file := range found {
			if !seen[file] {
				seen[file] = true
				files = append(files, file)
			}
		}
	}
	return files, problems
}

func filesOf(name string, recursive bool) ([]string, *Problem) {
	switch {
	case name == Stdin:
		return []string{Stdin}, nil
	case strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://"):
		return nil, &Problem{Message: "is a URL, and nothing is fetched from the network: download it, or pass it with -f -"}
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, &Problem{Message: reason(err)}
	}
	if !info.IsDir() {
		if isKustomization(name) {
			return nil, kustomizationProblem(filepath.Dir(name))
		}
		return []string{filepath.Clean(name)}, nil
	}
	files, err := walk(name, recursive)
	if err != nil {
		return nil, &Problem{Message: reason(err)}
	}
	for _, file := range files {
		if isKustomization(file) {
			return nil, kustomizationProblem(filepath.Dir(file))
		}
	}
	if len(files) == 0 {
		message := "holds no " + strings.Join(extensions(), ", ") + " file"
		if !recursive {
			message += "; directories below it are read with -R"
		}
		return nil, &Problem{Message: message}
	}
	return files, nil
}

// walk lists a directory's manifests, sorted. Hidden entries (.git, .github, ..data) are no manifests. Links to files are followed
// and links to directories are not, so that no loop is possible.
func walk(root string, recursive bool) ([]string, error) {
	var files []string
	// WalkDir does not follow a root that is a link.
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(resolved, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == resolved {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			if !recursive {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(extensions(), filepath.Ext(path)) && !isKustomization(path) {
			return nil
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			files = append(files, filepath.Join(root, strings.TrimPrefix(path, resolved)))
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

func isKustomization(path string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path))
}

func kustomizationProblem(directory string) *Problem {
	return &Problem{Message: fmt.Sprintf("the kustomization in %s is built with -k %s; name files beside it one by one with -f", directory, directory)}
}

// reason is an error of the operating system without the operation and the path, which stand before it already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
