package check

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
)

// shown is a file's name relative to the working directory where it lies below it: what code review tools look up in
// a repository.
func shown(file string) string {
	if file == manifest.Stdin || !filepath.IsAbs(file) {
		return file
	}
	working, err := os.Getwd()
	if err != nil {
		return file
	}
	relative, err := filepath.Rel(working, file)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return file
	}
	return relative
}
