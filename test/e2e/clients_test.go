//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// workers is how many requests the tests with many objects have in flight.
const workers = 8

// heardKey is the key of a context under which the warnings of a request are kept.
type heardKey struct{}

// listener keeps the API server's warnings with the request that they belong to.
type listener struct{}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (listener) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	if heard, ok := ctx.Value(heardKey{}).(*[]string); ok && code == 299 {
		*heard = append(*heard, text)
	}
}

// dynamic returns a client of a user that knows no limit of its own.
func (h *harness) dynamic(t *testing.T, user string) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(h.config(t, user))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (h *harness) config(t *testing.T, user string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", h.users[user])
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	config.WarningHandlerWithContext = listener{}
	return config
}

// answer is what the API server said to a request.
type answer struct {
	object   *unstructured.Unstructured
	err      error
	warnings []string
}

// causes of a denial, empty where there was none.
func (a answer) causes() []metav1.StatusCause {
	status, ok := a.err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

// create asks the API server to create an object, or to say what it would do.
func create(t *testing.T, client dynamic.Interface, resource schema.GroupVersionResource, object *unstructured.Unstructured, options metav1.CreateOptions) answer {
	t.Helper()
	var a answer
	ctx := context.WithValue(t.Context(), heardKey{}, &a.warnings)
	a.object, a.err = client.Resource(resource).Namespace(object.GetNamespace()).Create(ctx, object, options)
	return a
}

// dryRun are the options of a request that stores nothing.
func dryRun() metav1.CreateOptions { return metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}} }

// each calls a function for every item, some at a time, and returns when all are done.
func each[T any](items []T, call func(item T)) {
	var group sync.WaitGroup
	queue := make(chan T)
	for range workers {
		group.Go(func() {
			for item := range queue {
				call(item)
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	group.Wait()
}

// core is a resource of the core group.
func core(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

// ours is a resource of Rune's own group.
func ours(resource string) schema.GroupVersionResource {
	return v1alpha1.GroupVersion().WithResource(resource)
}

// namespaces makes namespaces, given with their labels, waits until pods can be created there, and removes them
// after the test.
func (h *harness) namespaces(t *testing.T, wanted map[string]map[string]string) {
	t.Helper()
	client := h.dynamic(t, "admin")
	names := slices.Sorted(maps.Keys(wanted))
	each(names, func(name string) {
		object := &unstructured.Unstructured{}
		object.SetAPIVersion("v1")
		object.SetKind("Namespace")
		object.SetName(name)
		object.SetLabels(wanted[name])
		if _, err := client.Resource(core("namespaces")).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Errorf("creating namespace %s: %v", name, err)
		}
	})
	t.Cleanup(func() {
		each(names, func(name string) {
			if err := client.Resource(core("namespaces")).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
				t.Logf("deleting namespace %s: %v", name, err)
			}
		})
	})
	for _, name := range names {
		eventually(t, "the service account of namespace "+name, func() string {
			_, err := client.Resource(core("serviceaccounts")).Namespace(name).Get(t.Context(), "default", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			return ""
		})
	}
}

// environments applies Environments and waits until they are enforced as they are now.
func (h *harness) environments(t *testing.T, wanted ...*v1alpha1.Environment) {
	t.Helper()
	client := h.dynamic(t, "admin").Resource(ours("environments"))
	each(wanted, func(environment *v1alpha1.Environment) {
		raw, err := json.Marshal(environment)
		if err != nil {
			t.Error(err)
			return
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			t.Error(err)
			return
		}
		unstructured.RemoveNestedField(object.Object, "status")
		options := metav1.ApplyOptions{FieldManager: "e2e", Force: true}
		if _, err := client.Apply(t.Context(), environment.Name, object, options); err != nil {
			t.Errorf("applying Environment %s: %v", environment.Name, err)
		}
	})
	for _, environment := range wanted {
		eventually(t, "Environment "+environment.Name+" to be enforced", func() string {
			object, err := client.Get(t.Context(), environment.Name, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			return enforced(object)
		})
	}
}

// enforced returns why an Environment is not enforced in its present form, nothing if it is.
func enforced(object *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range conditions {
		c, _ := condition.(map[string]any)
		if c["type"] == v1alpha1.ConditionEnforced && c["status"] == "True" && c["observedGeneration"] == object.GetGeneration() {
			return ""
		}
	}
	status, _ := json.Marshal(object.Object["status"])
	return "its status is " + string(status)
}
