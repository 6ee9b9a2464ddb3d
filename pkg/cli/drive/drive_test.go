package drive

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/analysis"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

type fakeEngine struct {
	request func(engine.Request) (*v1alpha1.Release, error)
	run     func() (engine.Result, error)
	abort   func(engine.AbortOptions) (engine.Result, error)
}

func (f *fakeEngine) Request(_ context.Context, r engine.Request) (*v1alpha1.Release, error) {
	return f.request(r)
}

func (f *fakeEngine) Run(context.Context, *v1alpha1.Release) (engine.Result, error) { return f.run() }

func (f *fakeEngine) Abort(_ context.Context, _ *v1alpha1.Release, o engine.AbortOptions) (engine.Result, error) {
	return f.abort(o)
}

type fakeCluster struct {
	release      *v1alpha1.Release
	environments []v1alpha1.Environment
	replicas     int32
	autoscaled   bool
	bounds       v1alpha1.ScalingSettings
}

func (f *fakeCluster) Release(context.Context, string, string) (*v1alpha1.Release, error) {
	return f.release, nil
}

func (f *fakeCluster) Username(context.Context) (string, error) { return "carol", nil }

func (f *fakeCluster) Deployment(context.Context, string, string) (*appsv1.Deployment, error) {
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: template("web:v1")}}, nil
}

func (f *fakeCluster) Environments(context.Context) ([]v1alpha1.Environment, error) {
	return f.environments, nil
}

func (f *fakeCluster) Resize(_ context.Context, _, _ string, replicas int32) (int32, bool, error) {
	was := f.replicas
	if !f.autoscaled {
		f.replicas = replicas
	}
	return was, f.autoscaled, nil
}

func (f *fakeCluster) Rescale(_ context.Context, _, _ string, wanted v1alpha1.ScalingSettings) (string, error) {
	if !f.autoscaled || f.bounds == wanted {
		return "", nil
	}
	f.bounds = wanted
	return "web", nil
}

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}}}
}

func newRelease(action v1alpha1.Action) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: "web-7", Namespace: "shop"},
		Spec: v1alpha1.ReleaseSpec{
			Action: action, Strategy: v1alpha1.StrategyCanary, Environment: "production",
			Workload: v1alpha1.WorkloadReference{Kind: "Deployment", Name: "web"}, To: template("web:v2"),
		},
	}
}

// drivenBy returns a driver over fakes and what it prints.
func drivenBy(e *fakeEngine, c *fakeCluster) (d *Driver, out, errOut *bytes.Buffer) {
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	return &Driver{Engine: e, Journal: c, Sizer: c, IOStreams: streams}, out, errOut
}

func TestRunTellsHowAReleaseEnded(t *testing.T) {
	tests := map[string]struct {
		action v1alpha1.Action
		result engine.Result
		out    string
		errOut string
		code   exit.Code
	}{
		"a canary that succeeded": {
			action: v1alpha1.ActionCanary, result: engine.Result{Outcome: engine.OutcomeSucceeded},
			out: "deployment.apps/web promoted\n", code: exit.Done,
		},
		"a rollback that succeeded": {
			action: v1alpha1.ActionRollback, result: engine.Result{Outcome: engine.OutcomeSucceeded},
			out: "deployment.apps/web rolled back\n", code: exit.Done,
		},
		"a canary that was taken back": {
			action: v1alpha1.ActionCanary, result: engine.Result{Outcome: engine.OutcomeRolledBack, Message: "smoke test failed\nmore"},
			out: "deployment.apps/web rolled back: smoke test failed\n", code: exit.TakenBack,
		},
		"a rollback that was taken back": {
			action: v1alpha1.ActionRollback, result: engine.Result{Outcome: engine.OutcomeRolledBack, Message: "pods crash"},
			out: "deployment.apps/web rollback taken back: pods crash\n", code: exit.TakenBack,
		},
		"a deadline": {
			action: v1alpha1.ActionCanary, result: engine.Result{Outcome: engine.OutcomeRolledBack, Message: "the deadline passed", TimedOut: true},
			out: "deployment.apps/web rolled back: the deadline passed\n", code: exit.TimedOut,
		},
		"a denial in the middle": {
			action: v1alpha1.ActionCanary,
			result: engine.Result{Outcome: engine.OutcomeRolledBack, Message: "approval expired", Denied: &engine.PolicyError{Message: "approval expired"}},
			out:    "deployment.apps/web rolled back: approval expired\n", code: exit.Denied,
		},
		"an approval that is missing": {
			action: v1alpha1.ActionPromote, result: engine.Result{Outcome: engine.OutcomeAwaitingApproval, Message: "1 approval needed"},
			out: "release.rune.runeframeos.com/web-7 is waiting for approval\n", code: exit.Waiting,
			errOut: "waiting for approval: 1 approval needed\n" +
				"  another person:  kubectl rune approve release/web-7 -n shop\n" +
				"  then you:        kubectl rune resume release/web-7 -n shop\n",
		},
		"another hand": {
			action: v1alpha1.ActionCanary,
			result: engine.Result{Outcome: engine.OutcomeStopped, Message: "the template was changed", Next: []string{"one way", "another way"}},
			out:    "release.rune.runeframeos.com/web-7 stopped\n", code: exit.Waiting,
			errOut: "stopped: the template was changed\n  one way\n  another way\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, out, errOut := drivenBy(&fakeEngine{run: func() (engine.Result, error) { return test.result, nil }}, &fakeCluster{})
			err := d.Run(t.Context(), newRelease(test.action))
			if code := exit.CodeOf(err); code != test.code {
				t.Errorf("got exit code %d (%v), want %d", code, err, test.code)
			}
			if diff := cmp.Diff([]string{test.out, test.errOut}, []string{out.String(), errOut.String()}); diff != "" {
				t.Errorf("stdout and stderr differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAbortThatWasAskedForIsNoFailure(t *testing.T) {
	var asked engine.AbortOptions
	d, out, _ := drivenBy(&fakeEngine{abort: func(o engine.AbortOptions) (engine.Result, error) {
		asked = o
		return engine.Result{Outcome: engine.OutcomeRolledBack, Message: o.Reason}, nil
	}}, &fakeCluster{})
	if err := d.Abort(t.Context(), newRelease(v1alpha1.ActionCanary), engine.AbortOptions{Reason: "wrong image"}); err != nil {
		t.Errorf("Abort gives %v, want no error", err)
	}
	if got, want := out.String(), "deployment.apps/web rolled back: wrong image\n"; got != want || asked.Reason != "wrong image" {
		t.Errorf("Abort prints %q and asks for %+v, want %q", got, asked, want)
	}
}

func TestInterruptSaysWhatWasLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	left := newRelease(v1alpha1.ActionCanary)
	left.Status = v1alpha1.ReleaseStatus{
		Phase: v1alpha1.PhaseProgressing, Weight: &v1alpha1.Weight{Wanted: 10, Actual: 20},
		Steps: []v1alpha1.StepStatus{{Name: "watch-5m0s", State: v1alpha1.StepRunning}},
	}
	d, _, _ := drivenBy(&fakeEngine{run: func() (engine.Result, error) {
		cancel()
		return engine.Result{}, context.Canceled
	}}, &fakeCluster{release: left})
	var message bytes.Buffer
	code := exit.Report(&message, d.Run(ctx, newRelease(v1alpha1.ActionCanary)))
	want := "error: interrupted\n" +
		"release/web-7 is left at step watch-5m0s (Running): 20 % of the traffic goes to the new pods\n" +
		"  continue:  kubectl rune resume release/web-7 -n shop\n" +
		"  take back: kubectl rune abort release/web-7 -n shop --yes\n"
	if diff := cmp.Diff(want, message.String()); diff != "" || code != exit.Failed {
		t.Errorf("got code %d and a message that differs (-want +got):\n%s", code, diff)
	}
}

// TestADeletedReleaseIsNeitherContinuedNorTakenBack: there is nothing left to do that with.
func TestADeletedReleaseIsNeitherContinuedNorTakenBack(t *testing.T) {
	r := newRelease(v1alpha1.ActionCanary)
	e := &fakeEngine{run: func() (engine.Result, error) {
		return engine.Result{}, &engine.DeletedError{Message: "release \"web-7\" was deleted while it was running"}
	}}
	d, _, _ := drivenBy(e, &fakeCluster{release: r})
	err := d.Run(t.Context(), r)
	if text := exit.Message(err); text != `release "web-7" was deleted while it was running` {
		t.Errorf("error %q", text)
	}
}

func TestAnEditThatIsKeptIsNotCalledARollback(t *testing.T) {
	r := newRelease(v1alpha1.ActionCanary)
	kept := engine.Result{Outcome: engine.OutcomeRolledBack, Release: r, Kept: true, Message: "aborted by hand"}
	e := &fakeEngine{run: func() (engine.Result, error) { return kept, nil }}
	d, out, _ := drivenBy(e, &fakeCluster{release: r})
	if err := d.Run(t.Context(), r); exit.CodeOf(err) != exit.TakenBack {
		t.Errorf("code %d", exit.CodeOf(err))
	}
	if got, want := out.String(), "deployment.apps/web left as it is: release given up\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
}

func TestADriverThatLivesIsLeftAlone(t *testing.T) {
	d, _, _ := drivenBy(&fakeEngine{run: func() (engine.Result, error) {
		return engine.Result{}, &engine.HeldError{Release: "web-7", Holder: "bob"}
	}}, &fakeCluster{})
	if message := exit.Message(d.Run(t.Context(), newRelease(v1alpha1.ActionCanary))); strings.Contains(message, "\n") || !strings.Contains(message, `"bob"`) {
		t.Errorf("got %q, want one line that names the driver", message)
	}
}

func TestStartNamesWhoLacksRights(t *testing.T) {
	right := func(verb, group, resource, subresource string) engine.Right {
		return engine.Right{Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: "shop"}
	}
	d, _, _ := drivenBy(&fakeEngine{request: func(engine.Request) (*v1alpha1.Release, error) {
		return nil, &engine.RightsError{Missing: []engine.Right{
			right("patch", "apps", "deployments", ""), right("create", "apps", "deployments", ""), right("patch", "apps", "deployments", ""),
			right("get", "", "services", "proxy"),
		}}
	}}, &fakeCluster{})
	message := exit.Message(d.Start(t.Context(), engine.Request{}))
	want := "user \"carol\" may not create, patch deployments.apps; get services/proxy in namespace \"shop\": " +
		"ask for these rights, then check with `kubectl auth can-i --list -n shop`"
	if message != want {
		t.Errorf("got  %s\nwant %s", message, want)
	}
}

func TestWarningsOfAMissingApprovalAreKeptInMind(t *testing.T) {
	var out bytes.Buffer
	warned := &warnings{w: &out}
	warned.print("spec.replicas: unusual")
	if warned.approval() {
		t.Error("another warning was taken for a missing approval")
	}
	warned.print(`environment "production": spec: needs an approved Release  [approval]`)
	if got, want := out.String(), "Warning: spec.replicas: unusual\n"; got != want || !warned.approval() {
		t.Errorf("printed %q and approval() = %v, want %q and true", got, warned.approval(), want)
	}
}

func TestDryRunsStoreNothingAndSaySo(t *testing.T) {
	request := engine.Request{
		Namespace: "shop", Workload: "web", Action: v1alpha1.ActionCanary, Strategy: v1alpha1.StrategyCanary,
		Edit: func(t *corev1.PodTemplateSpec) error { t.Spec.Containers[0].Image = "web:v2"; return nil },
	}
	t.Run("client", func(t *testing.T) {
		// The engine is nil: asking it anything would panic.
		d, out, errOut := drivenBy(nil, &fakeCluster{})
		if err := d.Preview(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if out.String() != "deployment.apps/web promoted (dry run)\n" || !strings.Contains(errOut.String(), "web:v1 → web:v2") {
			t.Errorf("got stdout %q and stderr %q", out, errOut)
		}
	})
	t.Run("server", func(t *testing.T) {
		request.DryRun = true
		d, out, _ := drivenBy(&fakeEngine{request: func(r engine.Request) (*v1alpha1.Release, error) {
			if !r.DryRun {
				t.Error("the engine was not told that it is a dry run")
			}
			return newRelease(v1alpha1.ActionCanary), nil
		}}, &fakeCluster{})
		if err := d.Start(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), "deployment.apps/web promoted (server dry run)\n"; got != want {
			t.Errorf("got stdout %q, want %q", got, want)
		}
	})
}

func TestProgress(t *testing.T) {
	start := time.Date(2026, 11, 2, 15, 4, 5, 0, time.UTC)
	var out bytes.Buffer
	progress := NewProgress(&out, start)
	for _, e := range []struct {
		after time.Duration
		event engine.Event
	}{
		{0, engine.Event{Type: engine.EventStep, Step: "pause", State: v1alpha1.StepRunning}},
		{0, engine.Event{Type: engine.EventStep, Step: "pause", State: v1alpha1.StepDone, Message: "rollouts are paused"}},
		{time.Second, engine.Event{Type: engine.EventWaiting, Step: "set-weight-10", Message: "0 of 1 canary pods ready"}},
		{2 * time.Second, engine.Event{Type: engine.EventWaiting, Step: "set-weight-10", Message: "0 of 1 canary pods ready"}},
		{3500 * time.Millisecond, engine.Event{
			Type: engine.EventWeight, Step: "set-weight-10",
			Weight: &v1alpha1.Weight{Wanted: 10, Actual: 20}, Pods: &engine.Pods{Stable: 4, Canary: 1},
		}},
		{4 * time.Second, engine.Event{Type: engine.EventStep, Step: "set-weight-10", State: v1alpha1.StepDone, Message: "weight 20 %"}},
		{4 * time.Second, engine.Event{Type: engine.EventStep, Step: "watch-1m0s", State: v1alpha1.StepRunning}},
		{4 * time.Second, engine.Event{Type: engine.EventSmoke, Smoke: &analysis.SmokeResult{Name: "health", Passed: 3, Total: 3}}},
		{4 * time.Second, engine.Event{Type: engine.EventWaiting, Step: "watch-1m0s", Message: "watching for 1m"}},
		{4 * time.Second, engine.Event{Type: engine.EventSmoke, Smoke: &analysis.SmokeResult{Name: "health", Passed: 3, Total: 3}}},
		{5 * time.Second, engine.Event{Type: engine.EventSmoke, Smoke: &analysis.SmokeResult{Name: "health", Passed: 1, Total: 3, Failure: "GET / answered 500, want 200"}}},
		{5 * time.Second, engine.Event{Type: engine.EventTrouble, Message: "pod web-7-x: CrashLoopBackOff"}},
		{65 * time.Second, engine.Event{Type: engine.EventStep, Step: "watch-1m0s", State: v1alpha1.StepFailed, Message: "pod web-7-x: CrashLoopBackOff"}},
		{66 * time.Second, engine.Event{Type: engine.EventAborting, Message: "pod web-7-x: CrashLoopBackOff"}},
		{67 * time.Second, engine.Event{Type: engine.EventRetry, Step: "pause", Message: "conflict"}},
		{68 * time.Second, engine.Event{Type: engine.EventWarning, Message: "no quota known"}},
		{69 * time.Second, engine.Event{Type: engine.EventStep, Step: "pause", State: v1alpha1.StepReverted}},
		{70 * time.Second, engine.Event{Type: engine.EventEnded, Message: "pods crash"}},
	} {
		e.event.Time = start.Add(e.after)
		progress.Print(e.event)
	}
	want := `   +0s  pause: rollouts are paused
   +1s  set-weight-10: waiting: 0 of 1 canary pods ready
   +3s  set-weight-10: 1 canary and 4 stable pods ready (wanted 10 %, actual 20 %)
   +4s  watch-1m0s: smoke test health: 3 of 3 passed
   +4s  watch-1m0s: watching for 1m
   +5s  watch-1m0s: smoke test health: failed 2 of 3: GET / answered 500, want 200
   +5s  watch-1m0s: trouble: pod web-7-x: CrashLoopBackOff
+1m05s  watch-1m0s: failed
+1m06s  taking the release back
+1m07s  pause: trying again: conflict
+1m08s  warning: no quota known
+1m09s  pause: reverted
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("the progress differs (-want +got):\n%s", diff)
	}
}

func TestIdentitiesNeverRepeat(t *testing.T) {
	if a, b := identity(), identity(); a == b || a == "" {
		t.Errorf("two identities are %q and %q, want different ones", a, b)
	}
}

func TestEngineErrorsPassUnchanged(t *testing.T) {
	cause := errors.New("it broke")
	d, _, _ := drivenBy(&fakeEngine{request: func(engine.Request) (*v1alpha1.Release, error) { return nil, cause }}, &fakeCluster{})
	if err := d.Start(t.Context(), engine.Request{}); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}
