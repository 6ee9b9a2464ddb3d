package uninstall

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/install"
)

// cluster is an installation as a fake.
type cluster struct {
	options *Options
	client  *dynamicfake.FakeDynamicClient
	out     func() string
	errOut  func() string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	installed, err := install.Objects(install.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var all []runtime.Object
	kinds := map[schema.GroupVersionResource]string{v1alpha1.Resource("environments"): "EnvironmentList"}
	for _, o := range slices.Concat(installed, configurations(), made(), []*unstructured.Unstructured{
		object("v1", "Secret", "rune-system", "rune-seal"),
	}) {
		all = append(all, o)
		kinds[install.ResourceOf(o)] = o.GetKind() + "List"
	}
	environment := object(v1alpha1.GroupVersion().String(), "Environment", "", "production")
	environment.SetGeneration(7)
	environment.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Enforced", "status": "True"}}}
	all = append(all, environment)
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	c := &cluster{
		client: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, all...),
		out:    out.String, errOut: errOut.String,
	}
	c.options = &Options{Yes: true, Timeout: time.Minute, client: c.client, poll: time.Millisecond, IOStreams: streams}
	return c
}

func (c *cluster) exists(t *testing.T, o *unstructured.Unstructured) bool {
	t.Helper()
	_, err := install.ClientOf(c.client, o).Get(t.Context(), o.GetName(), metav1.GetOptions{})
	return err == nil
}

// deleted returns what was deleted, in order.
func (c *cluster) deleted() []string {
	var all []string
	for _, action := range c.client.Actions() {
		if d, ok := action.(clienttesting.DeleteAction); ok {
			all = append(all, d.GetResource().Resource+"/"+d.GetName())
		}
	}
	return all
}

func TestNobodyIsAskedWhoIsGone(t *testing.T) {
	c := newCluster(t)
	if err := c.options.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"clusterrolebindings/rune-webhook-registration",
		"validatingwebhookconfigurations/rune-webhook",
		"mutatingwebhookconfigurations/rune-webhook",
		"deployments/rune-webhook",
	}
	if diff := cmp.Diff(want, c.deleted()[:4]); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if first, _, _ := strings.Cut(c.out(), "\n"); first != "clusterrolebinding.rbac.authorization.k8s.io/rune-webhook-registration deleted" {
		t.Errorf("first line %q", first)
	}
}

func TestWhatPeopleMadeIsKept(t *testing.T) {
	c := newCluster(t)
	if err := c.options.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	seal := object("v1", "Secret", "rune-system", "rune-seal")
	namespace := object("v1", "Namespace", "", "rune-system")
	crd := object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "releases.rune.runeframeos.com")
	for _, kept := range []*unstructured.Unstructured{seal, namespace, crd} {
		if !c.exists(t, kept) {
			t.Errorf("%s is gone", install.TypeName(kept))
		}
	}
	for _, gone := range append(configurations(), made()...) {
		if c.exists(t, gone) {
			t.Errorf("%s is left", install.TypeName(gone))
		}
	}
	live, err := c.client.Resource(v1alpha1.Resource("environments")).Get(t.Context(), "production", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if enforced(live) {
		t.Error("the Environment still says that it is enforced")
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	c := newCluster(t)
	c.options.Purge = true
	if err := c.options.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	installed, err := install.Objects(install.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range installed {
		if c.exists(t, o) {
			t.Errorf("%s is left", install.TypeName(o))
		}
	}
}

func TestSecondTimeIsHarmless(t *testing.T) {
	c := newCluster(t)
	for range 2 {
		if err := c.options.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(c.out(), "deployment.apps/rune-webhook deleted"); n != 1 {
		t.Errorf("deleted %d times", n)
	}
	if n := strings.Count(c.errOut(), "no longer enforced"); n != 1 {
		t.Errorf("said %d times: %s", n, c.errOut())
	}
}

// A replica puts its configuration back after it was deleted and before its right is gone.
func TestConfigurationThatComesBackIsDeletedAgain(t *testing.T) {
	c := newCluster(t)
	c.client.PrependReactor("delete", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
		back := configurations()[0]
		return false, nil, c.client.Tracker().Create(install.ResourceOf(back), back, "")
	})
	if err := c.options.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.exists(t, configurations()[0]) {
		t.Error("the configuration is left")
	}
}

func TestWithoutYesAndTerminalNothingHappens(t *testing.T) {
	c := newCluster(t)
	c.options.Yes = false
	if err := c.options.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("error %v", err)
	}
	if n := len(c.client.Actions()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestStopsWhereTheConfigurationsCannotBeDeleted(t *testing.T) {
	c := newCluster(t)
	c.client.PrependReactor("delete", "mutatingwebhookconfigurations", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("no right")
	})
	if err := c.options.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "mutatingwebhookconfiguration.admissionregistration.k8s.io/rune-webhook: no right") {
		t.Errorf("error %v", err)
	}
	if slices.Contains(c.deleted(), "deployments/rune-webhook") {
		t.Error("the webhook is gone while the API server still asks it")
	}
}

func TestWebhookThatDoesNotEndTimesOut(t *testing.T) {
	c := newCluster(t)
	c.client.PrependReactor("delete", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := c.options.Run(ctx)
	if exit.CodeOf(err) != exit.TimedOut || !strings.Contains(err.Error(), "deployment.apps/rune-webhook") {
		t.Errorf("code %d: %v", exit.CodeOf(err), err)
	}
}
