package registration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
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
	// invalid is what is wrong with the rules of an Environment, by name.
	invalid map[string]error
	// compilations counts what was compiled.
	compilations int
	// stored changes what untyped lists of Environments return, by name, as if it were stored like that.
	stored map[string]func(spec map[string]any)
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
		invalid:      map[string]error{},
		stored:       map[string]func(spec map[string]any){},
	}
	note := func(verb string, object client.Object) error {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1.")
		w.writes = append(w.writes, verb+" "+kind)
		return w.fail[kind]
	}
	w.client = interceptor.NewClient(builder.Build(), interceptor.Funcs{
		List: w.list,
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

// list lets a test store what the typed fake cannot hold.
func (w *world) list(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	if err := c.List(ctx, list, options...); err != nil {
		return err
	}
	untyped, ok := list.(*unstructured.UnstructuredList)
	if !ok {
		return nil
	}
	for i := range untyped.Items {
		if change := w.stored[untyped.Items[i].GetName()]; change != nil {
			change(untyped.Items[i].Object["spec"].(map[string]any))
		}
	}
	return nil
}

// restart replaces the reconciler, as when another replica becomes the leader.
func (w *world) restart() {
	w.reconciler = NewReconciler(Options{
		Reader: w.client, Namespaces: w.client, Writer: w.client, Compile: w.compile, Certificates: w.certificates, Clock: w.clock,
		Endpoint: Endpoint{Service: types.NamespacedName{Namespace: "rune-system", Name: "rune-webhook"}},
		Settle:   time.Second, Interval: time.Hour,
	})
}

func (w *world) compile(environment *v1alpha1.Environment) error {
	w.compilations++
	return w.invalid[environment.Name]
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

// names of the entries that belong to Environments.
func names(c *admissionregistrationv1.ValidatingWebhookConfiguration) []string {
	var all []string
	for i := range c.Webhooks {
		if c.Webhooks[i].Name != configurationName {
			all = append(all, c.Webhooks[i].Name)
		}
	}
	return all
}
