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

// input is one file to read.
type input struct {
	name string
	// found tells that it was found in a directory, and not named: then it may be empty.
	found bool
}

// gather lists the files that names stand for, each once, in the order given and within a directory by name. What
// cannot be read is a problem of its own, and the rest goes on.
func gather(names []string, recursive bool) (files []input, problems []*Problem) {
	seen := map[string]bool{}
	for _, name := range names {
		found, wrong := filesOf(name, recursive)
		for _, problem := range wrong {
			if problem.File == "" {
				problem.File = name
			}
			problems = append(problems, problem)
		}
		for _, file := range found {
			if !seen[file.name] {
				seen[file.name] = true
				files = append(files, file)
			}
		}
	}
	return files, problems
}

func filesOf(name string, recursive bool) ([]input, []*Problem) {
	refuse := func(problem *Problem) ([]input, []*Problem) { return nil, []*Problem{problem} }
	switch {
	case name == Stdin:
		return []input{{name: Stdin}}, nil
	case strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://"):
		return refuse(&Problem{Message: "is a URL, and nothing is fetched from the network: download it, or pass it with -f -"})
	}
	info, err := os.Stat(name)
	if err != nil {
		return refuse(&Problem{Message: reason(err)})
	}
	if !info.IsDir() {
		if isKustomization(name) {
			return refuse(kustomizationProblem(filepath.Dir(name)))
		}
		return []input{{name: filepath.Clean(name)}}, nil
	}
	w := &walker{root: name, recursive: recursive}
	if err := w.walk(); err != nil {
		return refuse(&Problem{Message: reason(err)})
	}
	if len(w.files)+len(w.problems) == 0 {
		message := "holds no " + strings.Join(extensions(), ", ") + " file"
		if !recursive {
			message += "; directories below it are read with -R"
		}
		return refuse(&Problem{Message: message})
	}
	return w.files, w.problems
}

// walker lists a directory's manifests. Hidden entries (.git, .github, ..data) are no manifests. Links to files are
// followed and links to directories are not, so that no loop is possible.
type walker struct {
	root      string
	resolved  string
	recursive bool
	files     []input
	problems  []*Problem
}

// walk fills files, sorted, and problems. Its error is about the root.
func (w *walker) walk() error {
	// WalkDir does not follow a root that is a link.
	resolved, err := filepath.EvalSymlinks(w.root)
	if err != nil {
		return err
	}
	w.resolved = resolved
	err = filepath.WalkDir(resolved, w.visit)
	// Files beside a kustomization are its parts, and so are not read one by one.
	w.files = slices.DeleteFunc(w.files, func(file input) bool {
		return slices.ContainsFunc(w.problems, func(p *Problem) bool { return p.kustomization == filepath.Dir(file.name) })
	})
	slices.SortFunc(w.files, func(a, b input) int { return strings.Compare(a.name, b.name) })
	return err
}

func (w *walker) visit(path string, entry fs.DirEntry, err error) error {
	shown := filepath.Join(w.root, strings.TrimPrefix(path, w.resolved))
	switch {
	case path == w.resolved:
		return err
	case err != nil:
		w.problems = append(w.problems, &Problem{File: shown, Message: reason(err)})
		return nil
	case strings.HasPrefix(entry.Name(), "."):
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	case entry.IsDir():
		if !w.recursive {
			return fs.SkipDir
		}
		return nil
	case isKustomization(path):
		problem := kustomizationProblem(filepath.Dir(shown))
		problem.File, problem.kustomization = shown, filepath.Dir(shown)
		w.problems = append(w.problems, problem)
		return nil
	case !slices.Contains(extensions(), filepath.Ext(path)):
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		w.problems = append(w.problems, &Problem{File: shown, Message: reason(err)})
	} else if info.Mode().IsRegular() {
		w.files = append(w.files, input{name: shown, found: true})
	}
	return nil
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
