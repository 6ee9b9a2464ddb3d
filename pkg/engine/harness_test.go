package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// scenario is one release from request to end.
type scenario struct {
	strategy v1alpha1.Strategy
	action   v1alpha1.Action
	image    string
	// steps of a canary: weights, and pauses as negative seconds.
	steps []int
	// abortAt is the name of the step at whose beginning another process asks for an abort.
	abortAt string
	prepare func(m *model)
	want    engine.Outcome
	// running is the image that runs in the end; empty where the workload is gone.
	running string
}

const replicas = 5

func podTemplate(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: image, Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}},
	}
}

func workload(image string) *appsv1.Deployment {
	n := int32(replicas)
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Annotations: map[string]string{"team": "shop"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply}}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Template: podTemplate(image),
		},
	}
}

// seed puts a Deployment into the model and lets its pods get ready.
func seed(t *testing.T, m *model, image string) {
	t.Helper()
	d := &engine.Deployment{Deployment: *workload(image)}
	tmpl, err := release.TemplateOf(&d.Spec.Template)
	if err != nil {
		t.Fatal(err)
	}
	d.Template = tmpl
	m.stamp(d)
	m.deployments["web"] = d
	m.settle()
	time.Sleep(2 * startTime) //nolint:forbidigo // the bubble's clock, not the machine's
	m.settle()
	m.fewest = replicas
	m.started = map[string]int{}
}

func (s scenario) request(t *testing.T) engine.Request {
	req := engine.Request{
		Namespace: namespace, Workload: "web", Action: s.action, Strategy: s.strategy,
		Edit: func(p *corev1.PodTemplateSpec) error {
			p.Spec.Containers[0].Image = s.image
			return nil
		},
		Delivery: v1alpha1.Delivery{
			SmokeTests: []v1alpha1.SmokeTest{{Name: "Basic connectivity", Path: "/health", Requests: 3}},
			Deadline:   &metav1.Duration{Duration: time.Hour},
		},
	}
	if s.strategy == v1alpha1.StrategyCreate {
		raw, err := json.Marshal(workload(s.image))
		if err != nil {
			t.Fatal(err)
		}
		req.Manifest = raw
	}
	if len(s.steps) > 0 {
		req.Delivery.Canary = &v1alpha1.CanaryPlan{}
	}
	for _, n := range s.steps {
		step := v1alpha1.CanaryStep{Pause: &metav1.Duration{Duration: time.Duration(-n) * time.Second}}
		if n > 0 {
			weight := int32(n)
			step = v1alpha1.CanaryStep{SetWeight: &weight}
		}
		req.Delivery.Canary.Steps = append(req.Delivery.Canary.Steps, step)
	}
	return req
}

// world is a model with a scenario's release requested.
type world struct {
	t       *testing.T
	m       *model
	s       scenario
	rel     *v1alpha1.Release
	drivers int
	events  []engine.Event
	hook    func(engine.Event)
}

func newWorld(t *testing.T, s scenario) *world {
	t.Helper()
	w := &world{t: t, m: newModel(t), s: s}
	if s.strategy != v1alpha1.StrategyCreate {
		seed(t, w.m, "web:v1")
	}
	if s.prepare != nil {
		s.prepare(w.m)
	}
	e, _ := w.driver(t.Context(), 0, false)
	rel, err := e.Request(t.Context(), s.request(t))
	if err != nil {
		t.Fatal(err)
	}
	w.rel = rel
	return w
}

// driver returns an engine of a new process, which dies at a call.
func (w *world) driver(ctx context.Context, killAt int, after bool) (*engine.Engine, *process) {
	w.drivers++
	ctx, cancel := context.WithCancel(ctx)
	c := &client{model: w.m, killAt: killAt, after: after, cancel: cancel}
	p := &process{ctx: ctx, client: c}
	e := engine.New(engine.Ports{
		Workloads: c, Children: c, History: c, Services: c, Journal: c, Requests: c, Consent: c, Access: c, Leases: c, Prober: c,
	}, engine.Options{Identity: fmt.Sprintf("driver-%d", w.drivers), OnEvent: func(ev engine.Event) { w.observe(ev) }})
	return e, p
}

type process struct {
	ctx    context.Context
	client *client
}

func (w *world) observe(ev engine.Event) {
	w.events = append(w.events, ev)
	if w.hook != nil {
		w.hook(ev)
	}
	if w.s.abortAt != "" && ev.Step == w.s.abortAt && ev.State == v1alpha1.StepRunning {
		w.m.mu.Lock()
		defer w.m.mu.Unlock()
		w.m.markAbort(w.rel.Name, "changed my mind")
	}
}

// run drives the release with a new process until that ends or dies.
func (w *world) run(killAt int, after bool) (engine.Result, *process, error) {
	e, p := w.driver(w.t.Context(), killAt, after)
	result, err := e.Run(p.ctx, w.rel)
	return result, p, err
}

// state is what must be the same however often drivers died on the way.
func (w *world) state() string {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	time.Sleep(5 * startTime) //nolint:forbidigo // the bubble's clock, not the machine's
	w.m.settle()
	var b strings.Builder
	for _, name := range sorted(w.m.deployments) {
		d := w.m.deployments[name]
		spec, err := json.Marshal(d.Spec)
		if err != nil {
			w.t.Fatal(err)
		}
		owners := []string{}
		for _, f := range d.ManagedFields {
			owners = append(owners, f.Manager)
		}
		fmt.Fprintf(&b, "deployment %s: %s annotations %v owners of fields %v owned by %d updated %d of %d\n",
			name, spec, d.Annotations, owners, len(d.OwnerReferences), d.Status.UpdatedReplicas, d.Status.Replicas)
	}
	pods := map[string]int{}
	for _, p := range w.m.pods {
		if ready(p) {
			pods[p.Spec.Containers[0].Image]++
		}
	}
	fmt.Fprintf(&b, "ready pods %v\nservices %v\nleases %v\n", pods, sorted(w.m.services), sorted(w.m.leases))
	r := w.m.releases[w.rel.Name]
	fmt.Fprintf(&b, "phase %s\n", r.Status.Phase)
	return b.String()
}
