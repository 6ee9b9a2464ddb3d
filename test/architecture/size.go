package architecture

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// Limits of length, in lines. Tests are free to have long tables.
const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

// CheckSize returns one line for a file that is too long and for each function whose body is. Generated
// files are not judged.
func CheckSize(name string, source []byte) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parsing file %q: %w", name, err)
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	var violations []string
	if lines := bytes.Count(source, []byte("\n")); lines > maxFileLines {
		violations = append(violations, fmt.Sprintf("%s: %d lines, more than %d: give each concept a file", name, lines, maxFileLines))
	}
	if strings.HasSuffix(name, "_test.go") {
		return violations, nil
	}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		lines := files.Position(function.Body.Rbrace).Line - files.Position(function.Body.Lbrace).Line - 1
		if lines > maxFunctionLines {
			violations = append(violations, fmt.Sprintf("%s: function %s has %d lines, more than %d",
				files.Position(function.Pos()), function.Name.Name, lines, maxFunctionLines))
		}
	}
	return violations, nil
}
