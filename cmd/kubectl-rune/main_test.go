package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-rune": main})
}

// TestScripts runs the plugin as a process of its own, without a cluster or against an API server that
// only knows files. Real clusters are for the end-to-end tests.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "no-kubeconfig"))
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "exits": exits},
	})
}

// exits runs a command that must end with an exit code: exits 4 kubectl-rune approve release/web-7
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGUMENTS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("got exit code %d, want %d", code, want)
	}
}

// serve starts an API server whose answers are files, and points KUBECONFIG to it: serve DIR. The
// answer to GET /apis/x is the file DIR/apis/x.GET, or DIR/apis/x@VALUE.GET where the request selects by
// a label's value; what has no file does not exist. Requests are written to the file requests.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve DIR")
	}
	api := &fileServer{dir: ts.MkAbs(args[0]), log: ts.MkAbs("requests")}
	ts.Check(os.WriteFile(api.log, nil, 0o600))
	server := httptest.NewServer(api)
	ts.Defer(server.Close)
	kubeconfig := ts.MkAbs("kubeconfig")
	ts.Check(os.WriteFile(kubeconfig, fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config", "current-context": "fake",
"clusters": [{"name": "fake", "cluster": {"server": %q}}],
"contexts": [{"name": "fake", "context": {"cluster": "fake", "namespace": "shop"}}]}`, server.URL), 0o600))
	ts.Setenv("KUBECONFIG", kubeconfig)
}

type fileServer struct {
	dir, log string
	mu       sync.Mutex
}

func (f *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.record(r)
	w.Header().Set("Content-Type", "application/json")
	name := filepath.Join(f.dir, filepath.FromSlash(path.Clean(r.URL.Path)))
	_, label, _ := strings.Cut(r.URL.Query().Get("labelSelector"), "=")
	body, err := os.ReadFile(name + "@" + label + "." + r.Method)
	if err != nil {
		body, err = os.ReadFile(name + "." + r.Method)
	}
	if err != nil {
		body = notFound(r.URL.Path)
	}
	status := metav1.Status{}
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" && status.Code != 0 {
		w.WriteHeader(int(status.Code))
	}
	_, _ = w.Write(body)
}

func (f *fileServer) record(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(f.log, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	fmt.Fprintf(file, "%s %s\n", r.Method, r.URL.Path)
}

// notFound is what an API server answers for an object that does not exist in a kind that it serves.
func notFound(urlPath string) []byte {
	parts := strings.Split(strings.Trim(urlPath, "/"), "/")
	name, kind := parts[len(parts)-1], parts[max(len(parts)-2, 0)]
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
		Message: fmt.Sprintf("%s %q not found", kind, name), Details: &metav1.StatusDetails{Name: name, Kind: kind},
	})
	if err != nil {
		return nil
	}
	return body
}
