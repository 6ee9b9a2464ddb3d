package signature

import (
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

func TestMetricsAreWellFormed(t *testing.T) {
	registered := prometheus.NewRegistry()
	v, err := New(Config{Registerer: registered, Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	v.metrics.verified(outcomeCached)
	v.metrics.collected(0)
	for _, status := range []int{0, 200, 307, 400, 401, 404, 429, 503} {
		v.metrics.request(registry.Request{Kind: registry.KindManifest, Status: status})
	}
	problems, err := testutil.GatherAndLint(registered)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	families, err := registered.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names, outcomes := []string{}, map[string]float64{}
	for _, family := range families {
		names = append(names, family.GetName())
		if family.GetName() != "rune_registry_requests_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			outcomes[metric.GetLabel()[1].GetValue()] = metric.GetCounter().GetValue()
		}
	}
	want := []string{"rune_image_verification_seconds", "rune_image_verifications_total", "rune_registry_requests_total", "rune_verdicts"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the metrics are:\n%s", diff)
	}
	wantOutcomes := map[string]float64{
		"no_answer": 1, "ok": 2, "rejected": 1, "refused": 1, "absent": 1, "throttled": 1, "failed": 1,
	}
	if diff := cmp.Diff(wantOutcomes, outcomes); diff != "" {
		t.Errorf("the outcomes are:\n%s", diff)
	}
	// A second one cannot count under the same names.
	if _, err := New(Config{Registerer: registered, Log: logr.Discard()}); err == nil {
		t.Error("registered twice")
	}
}

func TestEachAnswerIsCountedByItsOutcome(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.ask(v, r)
		w.ask(v, r)
		_, _ = v.Verify(t.Context(), question(r, webImage, digestOf(2)))
		for o, want := range map[outcome]float64{outcomeVerified: 1, outcomeCached: 1, outcomeRejected: 1, outcomeUnknown: 0} {
			if got := testutil.ToFloat64(v.metrics.verifications.WithLabelValues(string(o))); got != want {
				t.Errorf("%s: counted %v, want %v", o, got, want)
			}
		}
	})
}
