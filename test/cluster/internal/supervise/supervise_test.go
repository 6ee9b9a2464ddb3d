package supervise

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
)

// shell is a component that runs a script of the shell.
func shell(t *testing.T, name, script string) component.Component {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a shell: ", err)
	}
	return component.Component{Name: name, Program: path, Args: []string{name, "-c", script}}
}

// endAll ends what a supervisor has started: in life that is done by its end.
func endAll(t *testing.T, paths layout.Paths) {
	t.Helper()
	var noted []process.Identity
	if _, err := record.ReadJSON(paths.Processes(), &noted); err != nil {
		t.Fatal(err)
	}
	for _, identity := range noted {
		if err := identity.Kill(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

func newPaths(t *testing.T) layout.Paths {
	t.Helper()
	paths := layout.Paths{State: t.TempDir()}
	if err := os.MkdirAll(paths.Logs(), 0o700); err != nil {
		t.Fatal(err)
	}
	return paths
}

func neverReady(context.Context, string) error { return errors.New("connection refused") }

func TestTheEndOfOneComponentIsTheEndAndIsExplained(t *testing.T) {
	paths := newPaths(t)
	defer endAll(t, paths)
	err := New(paths, nil).Run(t.Context(), [][]component.Component{
		{shell(t, "etcd", "exec sleep 600"), shell(t, "kube-apiserver", "echo no etcd; exit 3")},
	}, neverReady)
	var failure *Failure
	if !errors.As(err, &failure) || failure.Component != "kube-apiserver" || failure.Reason != "exit status 3" {
		t.Fatalf("got error %v, want one about kube-apiserver", err)
	}
	var written Failure
	if found, err := record.ReadJSON(paths.Failure(), &written); err != nil || !found || written != *failure {
		t.Errorf("written is %+v (%v), want %+v", written, err, *failure)
	}
	log, err := os.ReadFile(failure.Log)
	if err != nil || strings.TrimSpace(string(log)) != "no etcd" {
		t.Errorf("the log holds %q (%v)", log, err)
	}
}

func TestAComponentThatDiesBeforeItIsReadyEndsTheWait(t *testing.T) {
	paths := newPaths(t)
	defer endAll(t, paths)
	dying := shell(t, "etcd", "exit 1")
	dying.Ready.Get = "http://127.0.0.1:2379/health"
	second := filepath.Join(paths.State, "second")
	err := New(paths, nil).Run(t.Context(), [][]component.Component{
		{dying}, {shell(t, "kube-apiserver", "touch "+second)},
	}, neverReady)
	var failure *Failure
	if !errors.As(err, &failure) || failure.Component != "etcd" {
		t.Errorf("got error %v, want one about etcd", err)
	}
	if _, err := os.Stat(second); err == nil {
		t.Error("the second stage was started before the first was ready")
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	paths := newPaths(t)
	err := New(paths, nil).Run(t.Context(), [][]component.Component{
		{{Name: "runc", Program: "/nowhere/runc", Args: []string{"runc"}}},
	}, neverReady)
	var failure *Failure
	if !errors.As(err, &failure) || failure.Component != "runc" || !strings.Contains(failure.Reason, "/nowhere/runc") {
		t.Errorf("got error %v, want one about /nowhere/runc", err)
	}
}

func TestTheListenersAreTheComponentsDescriptors(t *testing.T) {
	paths := newPaths(t)
	passed, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	c := shell(t, "forward", "echo passed >&3; exit 1")
	c.Listeners = true
	err = New(paths, []*os.File{passed}).Run(t.Context(), [][]component.Component{{c}}, neverReady)
	if err == nil {
		t.Fatal("the supervisor outlived its component")
	}
	if got, err := os.ReadFile(passed.Name()); err != nil || string(got) != "passed\n" {
		t.Errorf("the file that was passed holds %q (%v)", got, err)
	}
}

func TestTheLeash(t *testing.T) {
	tests := map[string]struct {
		say  []byte
		torn bool
	}{
		"is torn when the other side is gone":    {nil, true},
		"is let go of when the other side is up": {[]byte{Release}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reading, writing, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			torn := Leash(reading)
			if _, err := writing.Write(test.say); err != nil {
				t.Fatal(err)
			}
			if err := writing.Close(); err != nil {
				t.Fatal(err)
			}
			if test.torn {
				<-torn
				return
			}
			// The reader closes its end once it was let go of.
			for {
				if _, err := reading.Stat(); err != nil {
					break
				}
			}
			select {
			case <-torn:
				t.Error("the leash was torn")
			default:
			}
		})
	}
}
