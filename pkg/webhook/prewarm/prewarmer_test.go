package prewarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// world implements Policies and Inspector.
type world struct {
	environments []v1alpha1.Environment
	unreadable   string

	mu               sync.Mutex
	asked            []string
	atOnce, mostOnce int
	// takes is how long an answer takes.
	takes time.Duration
}

func (w *world) Environments(context.Context) ([]v1alpha1.Environment, error) {
	return w.environments, nil
}

func (w *world) ImagePolicies(_ context.Context, environment string) ([]*v1alpha1.ImagePolicy, error) {
	if environment == w.unreadable {
		return nil, errors.New("an ImagePolicy cannot be read")
	}
	if environment == "empty" {
		return nil, nil
	}
	return []*v1alpha1.ImagePolicy{{ObjectMeta: metav1.ObjectMeta{Name: "release"}}}, nil
}

func (w *world) Facts(_ context.Context, in admission.Inspection) (map[string]policy.ImageFact, error) {
	w.mu.Lock()
	w.asked = append(w.asked, fmt.Sprintf("%s %s %s", in.Environment, in.Access.Key(), in.References[0]))
	w.atOnce++
	w.mostOnce = max(w.mostOnce, w.atOnce)
	w.mu.Unlock()
	advance(w.takes)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.atOnce--
	return map[string]policy.ImageFact{in.References[0]: {Signature: policy.SignatureVerified}}, nil
}

func (w *world) want(t *testing.T, images int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.asked) != images {
		t.Errorf("asked about %d images, want %d", len(w.asked), images)
	}
}

func environment(name string, signatures bool, namespaces ...string) v1alpha1.Environment {
	e := v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}}
	e.Spec.Namespaces = namespaces
	if signatures {
		e.Spec.Rules.Signatures = &v1alpha1.SignatureRules{}
	}
	return e
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func pod(namespace, name string, phase corev1.PodPhase, images ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Status: corev1.PodStatus{Phase: phase}}
	for i, image := range images {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: fmt.Sprint(i), Image: image})
	}
	return p
}

// advance lets time pass; in a bubble only its clock moves.
func advance(d time.Duration) { <-time.After(d) }

func started() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (w *world) prewarmer(objects ...client.Object) *Prewarmer {
	return New(Options{
		Reader: fake.NewClientBuilder().WithObjects(objects...).Build(), Policies: w, Inspector: w,
		Started: started(), Clock: clock.RealClock{}, Log: logr.Discard(),
	})
}

func TestWhatRunsIsAskedAboutOnce(t *testing.T) {
	w := &world{
		environments: []v1alpha1.Environment{
			environment("production", true, "prod"), environment("staging", false, "stage"),
			environment("broken", true, "other"), environment("empty", true, "nobody"),
		},
		unreadable: "broken",
	}
	first := pod("prod", "a", corev1.PodRunning, "r.local/web:1", "r.local/proxy:1")
	first.Spec.InitContainers = []corev1.Container{{Image: "r.local/init:1"}}
	first.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: "r.local/debug:1"}}}
	first.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "r.local/data:1"}}}}
	other := pod("prod", "d", corev1.PodPending, "r.local/web:1")
	other.Spec.ServiceAccountName = "robot"
	p := w.prewarmer(
		namespace("prod"), namespace("stage"), namespace("other"), namespace("nobody"), namespace("free"),
		first, pod("prod", "b", corev1.PodRunning, "r.local/web:1"), pod("prod", "c", corev1.PodSucceeded, "r.local/done:1"), other,
		pod("stage", "a", corev1.PodRunning, "r.local/stage:1"), pod("other", "a", corev1.PodRunning, "r.local/other:1"),
		pod("nobody", "a", corev1.PodRunning, "r.local/nobody:1"), pod("free", "a", corev1.PodRunning, "r.local/free:1"),
	)
	p.pass(t.Context())
	slices.Sort(w.asked)
	want := []string{
		"production prod/default r.local/data:1", "production prod/default r.local/debug:1", "production prod/default r.local/init:1",
		"production prod/default r.local/proxy:1", "production prod/default r.local/web:1", "production prod/robot r.local/web:1",
	}
	if diff := cmp.Diff(want, w.asked); diff != "" {
		t.Errorf("asked about something else:\n%s", diff)
	}
}

func TestFewAreAskedAtATimeAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{environments: []v1alpha1.Environment{environment("production", true, "prod")}, takes: time.Second}
		objects := []client.Object{namespace("prod")}
		for n := range 20 {
			objects = append(objects, pod("prod", fmt.Sprint(n), corev1.PodRunning, fmt.Sprintf("r.local/%d:1", n)))
		}
		p := w.prewarmer(objects...)
		ready := make(chan struct{})
		p.Started = ready
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Start(ctx) }()
		synctest.Wait()
		w.want(t, 0)
		close(ready)
		advance(time.Minute)
		w.want(t, 20)
		advance(DefaultInterval * 5 / 4)
		w.want(t, 40)
		if w.mostOnce != concurrency {
			t.Errorf("asked about %d images at once", w.mostOnce)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
