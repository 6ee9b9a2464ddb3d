package testcluster

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeProgram puts a runecluster into RUNE_BIN that notes how it is called and
// prints what it is told, and returns a reader of the notes.
func fakeProgram(t *testing.T, status string) func() []string {
	t.Helper()
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes")
	script := `#!/bin/sh
echo "$*" >> '` + notes + `'
case "$1" in
status) ` + status + ` ;;
up) echo '{"name":"rune-x","tier":"node","initPID":7,"ready":true,"realPods":true,"registryProxy":"http://127.0.0.1:5001"}' ;;
load) echo registry.localhost:5000/web@sha256:0 ;;
user) echo "no such cluster" >&2; exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "runecluster"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RUNE_BIN", dir)
	return func() []string {
		data, err := os.ReadFile(notes)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

func TestStopTakesDownOnlyWhatUpBroughtUp(t *testing.T) {
	tests := map[string]struct {
		status string
		want   []string
	}{
		"a cluster that was not up is taken down": {
			"exit 1", []string{"status --name rune-x -o json", "up --name rune-x --tier auto -o json", "down --name rune-x"},
		},
		"a cluster that was up stays up": {
			`echo '{"initPID":7,"ready":true}'`, []string{"status --name rune-x -o json", "up --name rune-x --tier auto -o json"},
		},
		"a cluster that had crashed and was replaced is taken down": {
			`echo '{"initPID":6,"ready":true}'`, []string{"status --name rune-x -o json", "up --name rune-x --tier auto -o json", "down --name rune-x"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			notes := fakeProgram(t, test.status)
			cluster, err := Up(t.Context(), Options{Name: "rune-x"})
			if err != nil {
				t.Fatal(err)
			}
			if err := cluster.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, notes()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAClusterPassesOnWhatItIsAsked(t *testing.T) {
	notes := fakeProgram(t, "exit 1")
	cluster, err := Up(t.Context(), Options{Name: "rune-x", Tier: Node})
	if err != nil {
		t.Fatal(err)
	}
	reference, err := cluster.LoadImage(t.Context(), "web:v1", "bin/web", ImageOptions{User: "65532", Env: []string{"VERSION=v1"}})
	if err != nil || reference != "registry.localhost:5000/web@sha256:0" {
		t.Errorf("loading gave %q, %v", reference, err)
	}
	if got, want := notes()[2], "load web:v1 --name rune-x --binary bin/web --user 65532 --env VERSION=v1"; got != want {
		t.Errorf("the program was called with %q, want %q", got, want)
	}
	if _, err := cluster.User(t.Context(), "jane", "devs"); err == nil || !strings.Contains(err.Error(), "no such cluster") {
		t.Errorf("got error %v, want the program's own words", err)
	}
	transport, err := cluster.Transport()
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://registry.localhost:5000/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if proxy, err := transport.Proxy(request); err != nil || proxy.String() != "http://127.0.0.1:5001" {
		t.Errorf("the registry is reached through %v, %v", proxy, err)
	}
}
