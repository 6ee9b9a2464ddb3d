package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the commands print into the README")

const readme = "../../README.md"

// TestTheNewcomersPathInTheReadme does what the README tells a newcomer to do, and compares every line.
func TestTheNewcomersPathInTheReadme(t *testing.T) {
	raw, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	_, section, found := strings.Cut(text, "## Check manifests before anyone else does\n")
	if !found {
		t.Fatal("the README has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	directory := t.TempDir()
	manifests, err := filepath.Abs("../../manifests")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(manifests, filepath.Join(directory, "manifests")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(directory, "web.yaml")
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```(yaml|console|diff)\n(.*?)```").FindAllStringSubmatch(section, -1) {
		switch content := block[2]; block[1] {
		case "yaml":
			write(t, file, content)
		case "diff":
			write(t, file, patched(t, read(t, file), content))
		case "console":
			commands++
			command, printed, _ := strings.Cut(content, "\n")
			got := runPlugin(t, directory, command)
			if *update {
				text = strings.Replace(text, content, command+"\n"+got, 1)
				continue
			}
			if diff := cmp.Diff(printed, got); diff != "" {
				t.Errorf("%s (-README +got):\n%s", command, diff)
			}
		}
	}
	if commands != 2 {
		t.Errorf("the section has %d commands, want the one that fails and the one that passes", commands)
	}
	if *update {
		write(t, readme, text)
	}
}

// runPlugin runs `kubectl rune ...` as a process and returns what a terminal would show.
func runPlugin(t *testing.T, directory, command string) string {
	t.Helper()
	args, ok := strings.CutPrefix(command, "$ kubectl rune ")
	if !ok {
		t.Fatalf("%q is no command of the plugin", command)
	}
	program, err := exec.LookPath("kubectl-rune") // testscript.Main has put it there
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), program, strings.Fields(args)...)
	run.Dir = directory
	run.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(directory, "none"), "NO_COLOR=1")
	output, _ := run.CombinedOutput() // the exit code of the first is 4, and what it prints says so
	return string(output)
}

// patched replaces each run of lines with "-" by the run of lines with "+" behind it.
func patched(t *testing.T, text, diff string) string {
	t.Helper()
	var old, replacement strings.Builder
	flush := func() {
		if old.Len() == 0 {
			return
		}
		if strings.Count(text, old.String()) != 1 {
			t.Fatalf("the manifest has not exactly one place with\n%s", old.String())
		}
		text = strings.Replace(text, old.String(), replacement.String(), 1)
		old.Reset()
		replacement.Reset()
	}
	for line := range strings.Lines(diff) {
		if strings.HasPrefix(line, "-") {
			if replacement.Len() > 0 {
				flush()
			}
			old.WriteString(line[1:])
		} else {
			replacement.WriteString(line[1:])
		}
	}
	flush()
	return text
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
