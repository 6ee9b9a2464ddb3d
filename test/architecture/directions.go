package architecture

import (
	"fmt"
	"slices"
	"strings"
)

// Package is what the import rules need to know of one package.
type Package struct {
	// Path is the import path.
	Path string
	// Imports are the import paths in its files, tests excluded; Deps adds all that those import.
	Imports, Deps []string
}

// CheckDirections returns one line for each import that the layers do not allow, sorted.
// Packages outside of the main module are not judged.
func CheckDirections(packages []Package) []string {
	var violations []string
	for _, p := range packages {
		from, ok := within(p.Path)
		if !ok {
			continue
		}
		for _, imported := range p.Imports {
			if why := judge(from, imported); why != "" {
				violations = append(violations, fmt.Sprintf("%s imports %s: %s", from, imported, why))
			}
		}
		violations = append(violations, checkDeps(from, p.Deps)...)
	}
	slices.Sort(violations)
	return slices.Compact(violations)
}

// judge says why the package at from (below the module) may not import a path, "" if it may.
func judge(from, imported string) string {
	to, ours := within(imported)
	if ours {
		return judgeOurs(from, to)
	}
	if strings.HasPrefix(imported, "github.com/sigstore/") && layerOf(from) != "signature" {
		return "signature is the only importer of cosign and sigstore"
	}
	layer := layerOf(from)
	if pure, ok := pureLayers()[layer]; ok {
		return judgePure(pure, imported)
	}
	return ""
}

// judgePure says why a pure package may not import a package that is not ours.
func judgePure(pure pureLayer, imported string) string {
	if isStandard(imported) {
		if doesIO(imported) {
			return "pure packages do no I/O: take the content as an argument"
		}
		return ""
	}
	for _, prefix := range append(everyPureModule(), pure.modules...) {
		if strings.HasPrefix(imported, prefix) {
			return ""
		}
	}
	return "pure packages import the standard library, k8s.io/api, k8s.io/apimachinery and what is listed for them"
}

// judgeOurs says why one package of the module may not import another one of it.
func judgeOurs(from, to string) string {
	fromTop, toTop := top(from), top(to)
	source, target := layerOf(from), layerOf(to)
	switch {
	case toTop == "cmd":
		return "nothing imports a command"
	case toTop == "test" && fromTop == "hack":
		return "" // what measures needs the same surroundings as what tests
	case toTop == "test" && fromTop != "test":
		return "the product knows no test code"
	case fromTop == "test" || fromTop == "hack" || fromTop == "cmd" || source == "cli" || source != "" && source == target:
		return ""
	case target == "cli":
		return "only cmd and cli wire"
	case isPure(source):
		if slices.Contains(pureLayers()[source].ours, target) {
			return ""
		}
		return "a pure package imports the pure ones that are listed for it"
	case isCore(source):
		if isPure(target) {
			return ""
		}
		return "engine and admission import pure packages only: declare an interface and let cmd or cli wire"
	case isAdapter(source) && isAdapter(target):
		return "adapters never import each other: let cmd or cli wire"
	case isAdapter(target):
		return "only cmd and cli wire"
	case isCore(target) && !isAdapter(source):
		return "only adapters, cmd and cli know the core"
	}
	return ""
}

// checkDeps judges what a package reaches through others.
func checkDeps(from string, deps []string) []string {
	layer := layerOf(from)
	if !isPure(layer) && !isCore(layer) {
		return nil
	}
	var violations []string
	for _, dep := range deps {
		for _, banned := range []string{"k8s.io/client-go/", "sigs.k8s.io/controller-runtime/"} {
			if strings.HasPrefix(dep, banned) {
				violations = append(violations, fmt.Sprintf(
					"%s reaches %s: the cluster is reached through ports that adapters implement", from, dep))
			}
		}
	}
	return violations
}

// within returns a path relative to the main module, and whether it lies in it.
func within(path string) (string, bool) {
	if path == Module {
		return ".", true
	}
	return strings.CutPrefix(path, Module+"/")
}

// top is the first element of a path below the module.
func top(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

// layerOf is the element after pkg/, "" for a path that is not below pkg/.
func layerOf(path string) string {
	below, ok := strings.CutPrefix(path, "pkg/")
	if !ok {
		return ""
	}
	return top(below)
}

// isStandard tells a package of the standard library by the rule of the go command: its first
// element has no dot.
func isStandard(path string) bool {
	return !strings.Contains(top(path), ".")
}

// doesIO tells the packages of the standard library that reach outside of the process.
func doesIO(path string) bool {
	switch path {
	case "net/url", "net/netip", "net/mail", "net/textproto":
		return false
	}
	return slices.Contains([]string{"net", "os", "syscall", "plugin", "database"}, top(path))
}
