package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

func TestImportsFollowTheLayers(t *testing.T) {
	packages := listPackages(t)
	report(t, CheckDirections(packages))
}

func TestTheModuleRequiresNoCluster(t *testing.T) {
	var mod struct {
		Require []struct{ Path string }
	}
	if err := json.Unmarshal(run(t, "go", "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Require) == 0 {
		t.Fatal("go mod edit -json lists no requirement")
	}
	var required []string
	for _, r := range mod.Require {
		required = append(required, r.Path)
	}
	report(t, CheckRequirements(required))
}

func TestTheCoreReadsNoClock(t *testing.T) {
	judged := 0
	for path, source := range sources(t) {
		if strings.HasSuffix(path, "_test.go") || !ClockFree(filepath.ToSlash(filepath.Dir(path))) {
			continue
		}
		judged++
		violations, err := CheckClock(path, source)
		if err != nil {
			t.Error(err)
		}
		report(t, violations)
	}
	if judged == 0 {
		t.Error("no file of a pure package was found")
	}
}

func TestFilesAndFunctionsStayShort(t *testing.T) {
	for path, source := range sources(t) {
		violations, err := CheckSize(path, source)
		if err != nil {
			t.Error(err)
		}
		report(t, violations)
	}
}

func report(t *testing.T, violations []string) {
	t.Helper()
	for _, violation := range violations {
		t.Error(violation)
	}
}

// listPackages lists the packages of the main module as the go command sees them. A package that does
// not compile is listed too: the compiler reports it better.
func listPackages(t *testing.T) []Package {
	t.Helper()
	output := run(t, "go", "list", "-e", "-deps", "-tags", "e2e", "-json=ImportPath,Imports,Deps", "./...")
	var packages []Package
	ours := 0
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var listed struct {
			ImportPath    string
			Imports, Deps []string
		}
		err := decoder.Decode(&listed)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("reading the output of go list: %v", err)
		}
		if _, ok := within(listed.ImportPath); ok {
			ours++
		}
		packages = append(packages, Package{Path: listed.ImportPath, Imports: listed.Imports, Deps: listed.Deps})
	}
	if ours == 0 {
		t.Fatalf("go list finds no package of %s", Module)
	}
	return packages
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("running %s: %v\n%s", cmd, err, stderr.String())
	}
	return output
}

// sources reads every Go file of the checkout, nested modules included, by its path below the root.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && (name == ".git" || name == "bin" || name == "testdata" || name == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[relative], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
