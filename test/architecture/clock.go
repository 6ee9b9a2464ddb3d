package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
)

// clockReaders are the functions, by import path, that read or wait for the time of day.
func clockReaders() map[string][]string {
	return map[string][]string{
		"time": {
			"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until",
		},
		"k8s.io/apimachinery/pkg/apis/meta/v1": {"Now", "NowMicro"},
	}
}

// ClockFree tells whether a package, by its path below the module, must not read a clock itself:
// pure packages are told the time as an argument, the core takes a clock.
func ClockFree(path string) bool {
	layer := layerOf(path)
	return isPure(layer) || isCore(layer)
}

// CheckClock returns one line for each use of the time of day in a source file.
func CheckClock(name string, source []byte) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, 0)
	if err != nil {
		return nil, fmt.Errorf("parsing file %q: %w", name, err)
	}
	banned := bannedByName(file)
	var violations []string
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		// A resolved identifier is a variable of this file, not a package.
		if x, ok := selector.X.(*ast.Ident); ok && x.Obj == nil && slices.Contains(banned[x.Name], selector.Sel.Name) {
			violations = append(violations, fmt.Sprintf("%s: %s.%s reads the clock: take the time or a clock as an argument",
				files.Position(selector.Pos()), x.Name, selector.Sel.Name))
		}
		return true
	})
	return violations, nil
}

// bannedByName maps the names under which a file knows the packages of clockReaders to their functions.
func bannedByName(file *ast.File) map[string][]string {
	banned := map[string][]string{}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser accepts no such literal
		}
		functions, ok := clockReaders()[imported]
		if !ok {
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		banned[name] = functions
	}
	return banned
}
