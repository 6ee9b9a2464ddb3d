package registration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestOneEntryPerEnvironment(t *testing.T) {
	w := newWorld(t, environment("staging", "shop-b", "shop-a"), environment("production", "shop-prod"))
	w.settled(t)
	mutating, validating := w.mutating(t), w.validating(t)
	want := []string{"production.environments.rune.runeframeos.com", "staging.environments.rune.runeframeos.com"}
	if diff := cmp.Diff(want, names(validating)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if len(mutating.Webhooks) != 2 {
		t.Fatalf("%d mutating entries", len(mutating.Webhooks))
	}
	staging := mutating.Webhooks[1]
	if got := *staging.ClientConfig.Service.Path; got != "/mutate/staging" {
		t.Errorf("mutating path %q", got)
	}
	if got := *validating.Webhooks[1].ClientConfig.Service.Path; got != "/validate/staging" {
		t.Errorf("validating path %q", got)
	}
	selector := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: []string{"shop-a", "shop-b"},
	}}}
	if diff := cmp.Diff(selector, staging.NamespaceSelector); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
	if *staging.FailurePolicy != admissionregistrationv1.Fail || *validating.Webhooks[1].FailurePolicy != admissionregistrationv1.Fail {
		t.Error("an entry does not fail closed")
	}
	if string(staging.ClientConfig.CABundle) != "CA one" {
		t.Errorf("bundle %q", staging.ClientConfig.CABundle)
	}
	for _, rule := range validating.Webhooks[0].Rules {
		for _, operation := range rule.Operations {
			if operation != admissionregistrationv1.Create && operation != admissionregistrationv1.Update {
				t.Errorf("the webhook is asked about %s of %v", operation, rule.Resources)
			}
		}
	}
}

func TestNoEnvironmentMeansNothingThatCanBlock(t *testing.T) {
	w := newWorld(t)
	w.settled(t)
	if n := len(w.mutating(t).Webhooks); n != 0 {
		t.Errorf("%d mutating entries", n)
	}
	all := w.validating(t).Webhooks
	if len(all) != 1 || all[0].Name != configurationName || *all[0].FailurePolicy != admissionregistrationv1.Ignore {
		t.Errorf("%+v", all)
	}
}

func TestNothingIsWrittenTwice(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"))
	w.settled(t)
	w.reconcile(t)
	w.restart()
	w.reconcile(t)
	if len(w.writes) > 0 {
		t.Errorf("writes: %v", w.writes)
	}
	before := w.environment(t, "staging").ResourceVersion
	w.reconcile(t)
	if after := w.environment(t, "staging").ResourceVersion; after != before {
		t.Error("the status was written although nothing changed")
	}
}

func TestEntryGoesWithItsEnvironment(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"), environment("production", "shop-prod"))
	w.settled(t)
	if err := w.client.Delete(t.Context(), w.environment(t, "staging")); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	if diff := cmp.Diff([]string{"production.environments.rune.runeframeos.com"}, names(w.validating(t))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestEditsOfOthersArePutBack(t *testing.T) {
	tests := map[string]func(c *admissionregistrationv1.ValidatingWebhookConfiguration){
		"failing open": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
		},
		"a match condition": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "never", Expression: "false"}}
		},
		"an object selector": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		},
		"a removed entry": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) { c.Webhooks = nil },
		"another entry": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks = append(c.Webhooks, *c.Webhooks[0].DeepCopy())
			c.Webhooks[len(c.Webhooks)-1].Name = "x.y.z"
		},
		"a removed annotation": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) { c.Annotations = nil },
		"another authority": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].ClientConfig.CABundle = []byte("x")
		},
		"another place to call": func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].ClientConfig.Service.Name = "x"
		},
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, environment("staging", "shop"))
			w.settled(t)
			want := w.validating(t)
			edited := want.DeepCopy()
			edit(edited)
			if err := w.client.Update(t.Context(), edited); err != nil {
				t.Fatal(err)
			}
			w.settled(t)
			got := w.validating(t)
			got.ResourceVersion = want.ResourceVersion
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeletedConfigurationComesBack(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"))
	w.settled(t)
	if err := w.client.Delete(t.Context(), w.mutating(t)); err != nil {
		t.Fatal(err)
	}
	w.reconcile(t)
	if n := len(w.mutating(t).Webhooks); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestEnforcedBecomesTrueOnceTheEntryHadTimeToSpread(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"))
	result := w.reconcile(t)
	if got := w.enforced(t, "staging"); got.Status != metav1.ConditionFalse || got.Reason != ReasonPropagating {
		t.Errorf("at once: %s %s", got.Status, got.Reason)
	}
	if result.RequeueAfter != time.Second {
		t.Errorf("looks again after %s", result.RequeueAfter)
	}
	w.clock.SetTime(w.clock.Now().Add(time.Second))
	w.reconcile(t)
	got := w.enforced(t, "staging")
	if got.Status != metav1.ConditionTrue || got.ObservedGeneration != 3 || !strings.Contains(got.Message, `"shop"`) {
		t.Errorf("later: %+v", got)
	}
	if generation := w.environment(t, "staging").Status.ObservedGeneration; generation != 3 {
		t.Errorf("observedGeneration %d", generation)
	}
}

func TestNewLeaderKeepsEnforcedTrue(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"))
	w.settled(t)
	w.restart()
	w.reconcile(t)
	if got := w.enforced(t, "staging"); got.Status != metav1.ConditionTrue {
		t.Errorf("%s: %s", got.Status, got.Reason)
	}
}

func TestNewBundleReachesAllEntries(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"))
	w.settled(t)
	w.certificates.pem = "CA one and two"
	w.reconcile(t)
	if got := string(w.validating(t).Webhooks[0].ClientConfig.CABundle) + string(w.mutating(t).Webhooks[0].ClientConfig.CABundle); got != "CA one and twoCA one and two" {
		t.Errorf("bundles %q", got)
	}
}

func TestFailedWriteIsSaidAndTriedAgain(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"))
	w.fail["ValidatingWebhookConfiguration"] = apierrors.NewForbidden(admissionregistrationv1.Resource("validatingwebhookconfigurations"), Name, errors.New("no right"))
	if _, err := w.reconciler.Reconcile(t.Context(), reconcile.Request{}); err == nil || !strings.Contains(err.Error(), "no right") {
		t.Errorf("error %v", err)
	}
	if got := w.enforced(t, "staging"); got.Status != metav1.ConditionFalse || got.Reason != ReasonNotWritten || !strings.Contains(got.Message, "no right") {
		t.Errorf("%+v", got)
	}
	delete(w.fail, "ValidatingWebhookConfiguration")
	w.settled(t)
	if got := w.enforced(t, "staging"); got.Status != metav1.ConditionTrue {
		t.Errorf("%+v", got)
	}
}

func TestWithoutCertificateNothingIsWritten(t *testing.T) {
	for name, certificates := range map[string]*bundle{
		"none yet":      {},
		"not to be had": {pem: "CA", err: errors.New("no")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, environment("staging", "shop"))
			w.certificates = certificates
			w.restart()
			if _, err := w.reconciler.Reconcile(t.Context(), reconcile.Request{}); err == nil {
				t.Error("no error")
			}
			if len(w.writes) > 0 {
				t.Errorf("writes: %v", w.writes)
			}
		})
	}
}
