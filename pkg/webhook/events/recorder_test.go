package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
)

// world is a Recorder with a fake API server and clock.
type world struct {
	*Recorder
	client client.WithWatch
	clock  *clocktesting.FakeClock
	fail   error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{clock: clocktesting.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	w.client = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if w.fail != nil {
				return w.fail
			}
			return c.Create(ctx, object, options...)
		},
	})
	var err error
	w.Recorder, err = NewRecorder(Options{
		Writer: w.client, Clock: w.clock, Log: logr.Discard(), Instance: "rune-webhook-0", Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// denied records a denial as the writer does once it is its turn.
func (w *world) denied(t *testing.T, d admission.Denial) {
	t.Helper()
	w.record(t.Context(), newDenial(d, w.clock.Now()))
}

func (w *world) events(t *testing.T) []eventsv1.Event {
	t.Helper()
	list := &eventsv1.EventList{}
	if err := w.client.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (w *world) droppedFor(reason string) float64 {
	return testutil.ToFloat64(w.dropped.WithLabelValues(reason))
}

func pod(environment, object string) admission.Denial {
	return admission.Denial{
		Environment: environment,
		Message:     `environment "production" refuses Pod "web": 1 violation`,
		Request: &admissionv1.AdmissionRequest{
			Kind:      metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Namespace: "shop", Operation: admissionv1.Create,
			Object: runtime.RawExtension{Raw: []byte(object)},
		},
	}
}

func TestEventTellsWhatWasRefusedAndWhy(t *testing.T) {
	deployment := func(name, object, old string) admission.Denial {
		d := pod("production", object)
		d.Request.Kind = metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
		d.Request.Name, d.Request.OldObject.Raw = name, []byte(old)
		return d
	}
	namespaceless := pod("", `{"metadata":{"name":"production"}}`)
	namespaceless.Request.Kind = metav1.GroupVersionKind{Group: "rune.runeframeos.com", Version: "v1alpha1", Kind: "Environment"}
	namespaceless.Request.Namespace = ""
	tests := map[string]struct {
		denial    admission.Denial
		regarding corev1.ObjectReference
		namespace string
	}{
		"a creation has no UID yet": {
			denial:    pod("production", `{"metadata":{"name":"web"}}`),
			regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "web"}, namespace: "shop",
		},
		"a name that the API server would have made": {
			denial:    pod("production", `{"metadata":{"generateName":"web-5d9c7-"}}`),
			regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "web-5d9c7-"}, namespace: "shop",
		},
		"an update": {
			denial:    deployment("web", `{"metadata":{"name":"web","uid":"7"}}`, `{"metadata":{"name":"web","uid":"7"}}`),
			regarding: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "7"}, namespace: "shop",
		},
		"only the former object has a UID": {
			denial:    deployment("web", `{"metadata":{"name":"web"}}`, `{"metadata":{"uid":"7"}}`),
			regarding: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "7"}, namespace: "shop",
		},
		"an object that cannot be read": {
			denial:    deployment("web", `[`, ``),
			regarding: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}, namespace: "shop",
		},
		"an object without a namespace": {
			denial:    namespaceless,
			regarding: corev1.ObjectReference{APIVersion: "rune.runeframeos.com/v1alpha1", Kind: "Environment", Name: "production"}, namespace: "default",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.denied(t, test.denial)
			all := w.events(t)
			if len(all) != 1 {
				t.Fatalf("%d Events", len(all))
			}
			event := all[0]
			if diff := cmp.Diff(test.regarding, event.Regarding); diff != "" {
				t.Errorf("regarding (-want +got):\n%s", diff)
			}
			if event.Namespace != test.namespace || event.Reason != "PolicyViolation" || event.Type != "Warning" ||
				event.Note != test.denial.Message || event.ReportingInstance != "rune-webhook-0" || event.Action == "" ||
				event.EventTime.IsZero() || len(validation.IsQualifiedName(event.ReportingController)) > 0 ||
				len(validation.IsDNS1123Subdomain(event.Name)) > 0 {
				t.Errorf("%+v", event)
			}
		})
	}
}

func TestEqualDenialsAreOneEventWithACount(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.denied(t, pod("production", `{"metadata":{"generateName":"web-5d9c7-"}}`))
		w.clock.Step(time.Second)
	}
	w.denied(t, pod("production", `{"metadata":{"name":"other"}}`))
	w.flush(t.Context())
	counts := map[string]int32{}
	for _, event := range w.events(t) {
		counts[event.Regarding.Name] = 1
		if event.Series != nil {
			counts[event.Regarding.Name] = event.Series.Count
			if want := w.clock.Now().Add(-time.Second); !event.Series.LastObservedTime.Equal(ptr.To(metav1.NewMicroTime(want))) {
				t.Errorf("last seen %s, want %s", event.Series.LastObservedTime, want)
			}
		}
	}
	if diff := cmp.Diff(map[string]int32{"web-5d9c7-": 5, "other": 1}, counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.clock.Step(seriesWindow + time.Second)
	w.denied(t, pod("production", `{"metadata":{"generateName":"web-5d9c7-"}}`))
	if n := len(w.events(t)); n != 3 {
		t.Errorf("%d Events, long after the last one of the series", n)
	}
}

func TestEventThatExpiredIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	again := func() { w.denied(t, pod("production", `{"metadata":{"name":"web"}}`)) }
	again()
	event := w.events(t)[0]
	if err := w.client.Delete(t.Context(), &event); err != nil {
		t.Fatal(err)
	}
	again()
	w.flush(t.Context())
	w.clock.Step(time.Second)
	again()
	if n := len(w.events(t)); n != 1 {
		t.Errorf("%d Events", n)
	}
}

func TestRateIsBoundedPerEnvironmentAndOverall(t *testing.T) {
	w := newWorld(t)
	flood := func(environment string, n int) {
		t.Helper()
		for i := range n {
			w.denied(t, pod(environment, fmt.Sprintf(`{"metadata":{"name":"web-%d"}}`, i)))
		}
	}
	flood("staging", 2*environmentBurst)
	if n := len(w.events(t)); n != environmentBurst {
		t.Errorf("%d Events for one Environment, want %d", n, environmentBurst)
	}
	flood("production", environmentBurst)
	if n := len(w.events(t)); n != 2*environmentBurst {
		t.Errorf("%d Events: one Environment's flood silences another", n)
	}
	flood("third", environmentBurst)
	if n := len(w.events(t)); n != overallBurst {
		t.Errorf("%d Events overall, want %d", n, overallBurst)
	}
	if got := w.droppedFor(droppedByRate); got != 2*environmentBurst {
		t.Errorf("%v dropped", got)
	}
	w.clock.Step(2 * time.Second)
	flood("fourth", 1)
	if n := len(w.events(t)); n != overallBurst+1 {
		t.Errorf("%d Events after a while", n)
	}
}

func TestAdmissionNeverWaitsForEvents(t *testing.T) {
	w := newWorld(t)
	// Nobody takes anything out of the queue.
	for range queueSize + 3 {
		w.Denied(t.Context(), pod("production", `{"metadata":{"name":"web"}}`))
	}
	if got := w.droppedFor(droppedByQueue); got != 3 {
		t.Errorf("%v dropped", got)
	}
}

func TestDryRunLeavesNoEvent(t *testing.T) {
	w := newWorld(t)
	d := pod("production", `{"metadata":{"name":"web"}}`)
	d.Request.DryRun = ptr.To(true)
	w.Denied(t.Context(), d)
	if n := len(w.queue); n != 0 {
		t.Errorf("%d denials wait to be written", n)
	}
}

func TestRefusedEventIsCounted(t *testing.T) {
	w := newWorld(t)
	w.fail = errors.New("no right")
	w.denied(t, pod("production", `{"metadata":{"name":"web"}}`))
	if got := w.droppedFor(droppedByError); got != 1 {
		t.Errorf("%v dropped", got)
	}
	w.fail = nil
	w.denied(t, pod("production", `{"metadata":{"name":"web"}}`))
	if n := len(w.events(t)); n != 1 {
		t.Errorf("%d Events once the API server takes them", n)
	}
}

func TestNoteFitsTheAPIServer(t *testing.T) {
	w := newWorld(t)
	d := pod("production", `{"metadata":{"name":"web"}}`)
	d.Message = strings.Repeat("ü", 2000)
	w.denied(t, d)
	note := w.events(t)[0].Note
	if len(note) > 1024 || !utf8.ValidString(note) || !strings.HasSuffix(note, "…") {
		t.Errorf("%d bytes: %q", len(note), note[len(note)-8:])
	}
}

func TestStartWritesWhatWasDenied(t *testing.T) {
	w := newWorld(t)
	written := make(chan struct{})
	w.options.Writer = interceptor.NewClient(w.client, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			defer close(written)
			return c.Create(ctx, object, options...)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	w.Denied(t.Context(), pod("production", `{"metadata":{"name":"web"}}`))
	select {
	case <-written:
	case <-time.After(time.Minute):
		t.Fatal("nothing is written")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if w.NeedLeaderElection() {
		t.Error("only the leader records")
	}
}
