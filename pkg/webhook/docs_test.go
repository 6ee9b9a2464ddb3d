package webhook

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheGuideNamesTestsThatExist: docs/webhook.md says which test shows what.
func TestTheGuideNamesTestsThatExist(t *testing.T) {
	const root = "../.."
	guide, err := os.ReadFile(filepath.Join(root, "docs", "webhook.md"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]bool{}
	for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllSubmatch(guide, -1) {
		wanted[string(name[1])] = true
	}
	if len(wanted) < 20 {
		t.Fatalf("only %d tests are named", len(wanted))
	}
	for _, folder := range []string{"pkg", "test"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for name := range wanted {
				if bytes.Contains(text, []byte("\nfunc "+name+"(t *testing.T)")) {
					delete(wanted, name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range wanted {
		t.Errorf("docs/webhook.md names %s, which does not exist", name)
	}
}
