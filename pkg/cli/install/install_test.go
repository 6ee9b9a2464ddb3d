package install

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

// run runs the command with a kubeconfig that does not exist.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	cmd := NewCommand(genericclioptions.NewConfigFlags(false), streams)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func TestManifestsArePrintedWithoutACluster(t *testing.T) {
	out, errOut, err := run(t, "--dry-run=client", "-o", "yaml", "--image", "example/hook:v1")
	if err != nil || errOut != "" {
		t.Fatalf("%v, stderr %q", err, errOut)
	}
	documents := strings.Split(out, "\n---\n")
	if len(documents) != len(objects(t, Settings{})) {
		t.Errorf("%d documents", len(documents))
	}
	for _, document := range documents {
		var object metav1.PartialObjectMetadata
		if err := yaml.Unmarshal([]byte(document), &object); err != nil || object.Name == "" || object.Kind == "" {
			t.Errorf("%v in %s", err, document)
		}
	}
	if !strings.Contains(out, "image: example/hook:v1\n") {
		t.Error("the image is not the one of --image")
	}
	out, _, err = run(t, "--dry-run=client", "-o", "json", "--image", "example/hook:v1")
	var list struct {
		Kind  string
		Items []json.RawMessage
	}
	if err := json.NewDecoder(bytes.NewBufferString(out)).Decode(&list); err != nil || list.Kind != "List" || len(list.Items) != len(documents) {
		t.Errorf("%v: a %s of %d", err, list.Kind, len(list.Items))
	}
	if err != nil {
		t.Error(err)
	}
}

func TestDryRunSaysOneLinePerObject(t *testing.T) {
	out, _, err := run(t, "--dry-run", "--image", "example/hook:v1")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if first, last := lines[0], lines[len(lines)-1]; first != "customresourcedefinition.apiextensions.k8s.io/approvals.rune.runeframeos.com created (dry run)" ||
		last != "deployment.apps/rune-webhook created (dry run)" {
		t.Errorf("from %q to %q", first, last)
	}
}

func TestWrongFlagsAreRefusedBeforeAnythingElse(t *testing.T) {
	for flag, want := range map[string]string{
		"--replicas=-1":    "--replicas=-1",
		"--timeout=0s":     "--timeout=0s",
		"--dry-run=maybe":  "write none, client or server",
		"--output=wide":    "-o wide is unknown",
		"--image=x --x":    "unknown flag",
		"--image=x":        "kubeconfig",
		"--dry-run=client": "name one with --image",
	} {
		if _, _, err := run(t, strings.Fields(flag)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", flag, err, want)
		}
	}
}

func TestRolloutIsDoneWhenOnlyNewReplicasAreLeft(t *testing.T) {
	status := func(generation int64, replicas, updated, available int32) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Generation: 4},
			Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
			Status: appsv1.DeploymentStatus{
				ObservedGeneration: generation, Replicas: replicas, UpdatedReplicas: updated, AvailableReplicas: available,
			},
		}
	}
	for name, test := range map[string]struct {
		deployment *appsv1.Deployment
		want       bool
	}{
		"all new and available":    {status(4, 2, 2, 2), true},
		"not noticed yet":          {status(3, 2, 2, 2), false},
		"an old one is left":       {status(4, 3, 2, 3), false},
		"one is not updated":       {status(4, 2, 1, 2), false},
		"one is not available":     {status(4, 2, 2, 1), false},
		"nothing has happened yet": {status(4, 0, 0, 0), false},
	} {
		if got, state := rolledOut(test.deployment); got != test.want || state == "" {
			t.Errorf("%s: %v (%s)", name, got, state)
		}
	}
}

func TestTimeoutHasItsExitCodeAndTheNextCommand(t *testing.T) {
	o := &Options{Timeout: time.Minute}
	ctx, cancel := contextWithPastDeadline(t)
	defer cancel()
	err := o.orTimeout(ctx, ctx.Err(), "waiting for x")
	if got := codeOf(err); got != 5 || !strings.Contains(err.Error(), "not there after 1m0s") || !strings.Contains(err.Error(), "kubectl -n rune-system") {
		t.Errorf("code %d: %v", got, err)
	}
}

func contextWithPastDeadline(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithDeadline(t.Context(), time.Unix(0, 0))
}

func codeOf(err error) int { return int(exit.CodeOf(err)) }
