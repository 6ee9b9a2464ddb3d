package registration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// bundle is a fake of the certificates: what is to be trusted now.
type bundle struct {
	pem string
	err error
}

func (b *bundle) Ensure(context.Context) error { return b.err }
func (b *bundle) Bundle() []byte               { return []byte(b.pem) }

// world is a reconciler with its fake API server and clock.
type world struct {
	client       client.WithWatch
	clock        *clocktesting.FakePassiveClock
	certificates *bundle
	reconciler   *Reconciler
	writes       []string
	// fail makes writes of a kind fail.
	fail map[string]error
}

func newWorld(t *testing.T, environments ...*v1alpha1.Environment) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.Environment{})
	for _, environment := range environments {
		builder = builder.WithObjects(environment)
	}
	w := &world{
		clock:        clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		certificates: &bundle{pem: "CA one"},
		fail:         map[string]error{},
	}
	note := func(verb string, object client.Object) error {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1.")
		w.writes = append(w.writes, verb+" "+kind)
		return w.fail[kind]
	}
	w.client = interceptor.NewClient(builder.Build(), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if err := note("create", object); err != nil {
				return err
			}
			return c.Create(ctx, object, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if err := note("update", object); err != nil {
				return err
			}
			return c.Update(ctx, object, options...)
		},
	})
	w.restart()
	return w
}

// restart replaces the reconciler, as when another replica becomes the leader.
func (w *world) restart() {
	w.reconciler = NewReconciler(Options{
		Reader: w.client, Writer: w.client, Certificates: w.certificates, Clock: w.clock,
		Endpoint: Endpoint{Service: types.NamespacedName{Namespace: "rune-system", Name: "rune-webhook"}},
		Settle:   time.Second, Interval: time.Hour,
	})
}

func (w *world) reconcile(t *testing.T) reconcile.Result {
	t.Helper()
	w.writes = nil
	result, err := w.reconciler.Reconcile(t.Context(), reconcile.Request{})
	if err != nil {
		t.Fatalf("Reconcile: %v", err)
	}
	return result
}

// settled reconciles until nothing is waited for.
func (w *world) settled(t *testing.T) {
	t.Helper()
	for range 5 {
		result := w.reconcile(t)
		if result.RequeueAfter == time.Hour {
			return
		}
		w.clock.SetTime(w.clock.Now().Add(result.RequeueAfter))
	}
	t.Fatal("it never settles")
}

func (w *world) mutating(t *testing.T) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	c := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: Name}, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) validating(t *testing.T) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	c := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: Name}, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) environment(t *testing.T, name string) *v1alpha1.Environment {
	t.Helper()
	e := &v1alpha1.Environment{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: name}, e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (w *world) enforced(t *testing.T, name string) metav1.Condition {
	t.Helper()
	condition := meta.FindStatusCondition(w.environment(t, name).Status.Conditions, v1alpha1.ConditionEnforced)
	if condition == nil {
		t.Fatalf("Environment %q has no condition Enforced", name)
	}
	return *condition
}

func environment(name string, namespaces ...string) *v1alpha1.Environment {
	return &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 3},
		Spec:       v1alpha1.EnvironmentSpec{Namespaces: namespaces},
	}
}

func names(c *admissionregistrationv1.ValidatingWebhookConfiguration) []string {
	var all []string
	for i := range c.Webhooks {
		all = append(all, c.Webhooks[i].Name)
	}
	return all
}

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

func TestNoEnvironmentMeansNoEntry(t *testing.T) {
	w := newWorld(t)
	w.settled(t)
	if n := len(w.mutating(t).Webhooks) + len(w.validating(t).Webhooks); n != 0 {
		t.Errorf("%d entries", n)
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
			c.Webhooks[1].Name = "x.y.z"
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

func TestSharedNamespaceIsSaidInBoth(t *testing.T) {
	w := newWorld(t, environment("a", "shop", "own"), environment("b", "shop"), environment("c", "else"))
	w.settled(t)
	for name, want := range map[string]string{
		"a": `namespace "shop" is also named by Environment "b"`,
		"b": `namespace "shop" is also named by Environment "a"`,
	} {
		if got := w.enforced(t, name); got.Status != metav1.ConditionTrue || !strings.Contains(got.Message, want) {
			t.Errorf("%s: %s %q, want True and %q", name, got.Status, got.Message, want)
		}
	}
	if got := w.enforced(t, "c"); strings.Contains(got.Message, "also named") {
		t.Errorf("c: %q", got.Message)
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
