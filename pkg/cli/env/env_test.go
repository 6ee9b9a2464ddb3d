package env

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
)

const production = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  purpose: Live
  namespaces: [shop]
  namespaceSelector: {matchLabels: {team: a}}
  promotesFrom: staging
  enforcement: Warn
  rules:
    images: {denyTags: [latest], pin: Never}
    podSecurity: {level: baseline, enforcement: Enforce}
    resources: {require: [requests.cpu], max: {cpu: "2"}}
    approval: {validFor: 24h}
    custom: [{name: team, expression: "true", message: must name its team}]
  namespaceSettings:
    resourceQuota: {hard: {pods: "20"}}
    networkPolicy: {defaultDeny: [Egress], allowDNS: true}
    podSecurityLabels: true
`

const staging = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: staging}
spec: {namespaces: [a, b, c, d]}
`

// directory holds Environments, one file each.
func directory(t *testing.T, documents ...string) string {
	t.Helper()
	path := t.TempDir()
	for i, document := range documents {
		if err := os.WriteFile(filepath.Join(path, string(rune('a'+i))+".yaml"), []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func namespaceOf(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// world is an API server that applies: it keeps what is applied, counts versions and tells conflicts.
type world struct {
	apply *Apply
	// applied are the requests, in their order.
	applied []string
	// conflicts are objects, by name, that another manager owns.
	conflicts map[string]bool
	stdout    *bytes.Buffer
}

func newWorld(t *testing.T, namespaces ...runtime.Object) *world {
	t.Helper()
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Version: "v1", Resource: "namespaces"}:                                  "NamespaceList",
		{Version: "v1", Resource: "resourcequotas"}:                              "ResourceQuotaList",
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}: "NetworkPolicyList",
	})
	streams, _, stdout, _ := genericiooptions.NewTestIOStreams()
	w := &world{conflicts: map[string]bool{}, stdout: stdout}
	client.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return w.patch(client, action.(clienttesting.PatchActionImpl))
	})
	for _, each := range namespaces {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(each)
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{Object: content}
		object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := client.Tracker().Add(object); err != nil {
			t.Fatal(err)
		}
	}
	w.apply = &Apply{
		Source: Source{Config: directory(t, production, staging)}, Environment: "production", DryRun: dryRunNone,
		kube: fake.NewClientset(namespaces...), dynamic: client, IOStreams: streams,
	}
	return w
}

func (w *world) patch(client *dynamicfake.FakeDynamicClient, patch clienttesting.PatchActionImpl) (bool, runtime.Object, error) {
	forced := patch.PatchOptions.Force != nil && *patch.PatchOptions.Force
	if patch.PatchType != types.ApplyPatchType || patch.PatchOptions.FieldManager != "kubectl-rune" {
		return true, nil, apierrors.NewBadRequest("not an apply of kubectl-rune")
	}
	if w.conflicts[patch.Name] && !forced {
		return true, nil, apierrors.NewApplyConflict([]metav1.StatusCause{{
			Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.hard.pods", Message: `conflict with "kubectl-edit" using v1`,
		}}, "Apply failed")
	}
	w.applied = append(w.applied, strings.TrimPrefix(patch.Namespace+"/"+patch.Resource.Resource+"/"+patch.Name, "/"))
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(patch.Patch); err != nil {
		return true, nil, err
	}
	before, err := client.Tracker().Get(patch.Resource, patch.Namespace, patch.Name)
	if err == nil {
		object.SetResourceVersion(before.(*unstructured.Unstructured).GetResourceVersion())
		if !w.same(before.(*unstructured.Unstructured), object) {
			object.SetResourceVersion(object.GetResourceVersion() + "1")
		}
		return true, object, client.Tracker().Update(patch.Resource, object, patch.Namespace)
	}
	return true, object, client.Tracker().Create(patch.Resource, object, patch.Namespace)
}

// same compares what can be applied.
func (w *world) same(a, b *unstructured.Unstructured) bool {
	return cmp.Equal(a.Object["spec"], b.Object["spec"]) && cmp.Equal(a.GetLabels(), b.GetLabels())
}

func TestApplyIsIdempotentAndCoversSelectedNamespaces(t *testing.T) {
	w := newWorld(t, namespaceOf("shop", nil), namespaceOf("shop-b", map[string]string{"team": "a"}), namespaceOf("a", nil))
	if err := w.apply.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := `namespace/shop configured
resourcequota/rune created in namespace shop
networkpolicy.networking.k8s.io/rune-default-deny-egress created in namespace shop
networkpolicy.networking.k8s.io/rune-allow-dns created in namespace shop
namespace/shop-b configured
resourcequota/rune created in namespace shop-b
networkpolicy.networking.k8s.io/rune-default-deny-egress created in namespace shop-b
networkpolicy.networking.k8s.io/rune-allow-dns created in namespace shop-b
`
	if diff := cmp.Diff(want, w.stdout.String()); diff != "" {
		t.Errorf("output differs (-want +got):\n%s", diff)
	}
	w.stdout.Reset()
	if err := w.apply.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(w.stdout.String()), "\n") {
		if !strings.Contains(line, " unchanged") && !strings.HasPrefix(line, "namespace/shop-b") {
			t.Errorf("the second time: %s", line)
		}
	}
}

func TestMissingNamespaces(t *testing.T) {
	w := newWorld(t)
	err := w.apply.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "--create-namespaces") || !strings.Contains(err.Error(), "shop") || len(w.applied) > 0 {
		t.Errorf("error %v, applied %v", err, w.applied)
	}
	w.apply.CreateNamespaces = true
	if err := w.apply.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"namespaces/shop", "shop/resourcequotas/rune", "shop/networkpolicies/rune-default-deny-egress", "shop/networkpolicies/rune-allow-dns"}
	if diff := cmp.Diff(want, w.applied); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestConflictsAreToldAndTheRestIsApplied(t *testing.T) {
	w := newWorld(t, namespaceOf("shop", nil))
	w.conflicts["rune"] = true
	err := w.apply.Run(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"resourcequota/rune in namespace shop", `.spec.hard.pods: conflict with "kubectl-edit"`, "--force-conflicts"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told: %v", part, err)
		}
	}
	if !slices.Contains(w.applied, "shop/networkpolicies/rune-allow-dns") {
		t.Errorf("applied %v", w.applied)
	}
	w.apply.ForceConflicts = true
	if err := w.apply.Run(t.Context()); err != nil {
		t.Errorf("with --force-conflicts: %v", err)
	}
}

func TestAClientDryRunOfFilesNeedsNoCluster(t *testing.T) {
	streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
	named := strings.Replace(production, "  namespaceSelector: {matchLabels: {team: a}}\n", "", 1)
	o := &Apply{Source: Source{Config: directory(t, named)}, Environment: "production", DryRun: dryRunClient, Output: output.JSON, IOStreams: streams}
	if err := o.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Items []metav1.PartialObjectMetadata `json:"items"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &list); err != nil || len(list.Items) != 4 {
		t.Errorf("%d items, %v", len(list.Items), err)
	}
	if !strings.Contains(stderr.String(), "resourcequota/rune applied in namespace shop (dry run)") {
		t.Errorf("stderr: %s", stderr)
	}
	o.Source.Config = directory(t, production)
	if err := o.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "selects namespaces by label") {
		t.Errorf("with a selector: %v", err)
	}
}

func TestSourcesSayWhatIsWrong(t *testing.T) {
	file := filepath.Join(directory(t, production), "a.yaml")
	for name, test := range map[string]struct{ config, want string }{
		"a file":              {file, "is no directory"},
		"nothing":             {filepath.Join(t.TempDir(), "x"), "no such file"},
		"an empty directory":  {t.TempDir(), "holds no Environment"},
		"an unreadable field": {directory(t, strings.Replace(production, "purpose", "porpoise", 1)), "porpoise"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Source{Config: test.config}.Environments(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestWhoMayNotListNamespacesGetsTheNamedOnes(t *testing.T) {
	kube := fake.NewClientset(namespaceOf("shop", nil), namespaceOf("shop-b", map[string]string{"team": "a"}))
	kube.PrependReactor("list", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "", errors.New("no"))
	})
	environments, err := Source{Config: directory(t, production, staging)}.Environments(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	live, partial, err := Namespaces(t.Context(), kube, environments)
	if err != nil || !partial || len(live) != 1 || live[0].Name != "shop" {
		t.Errorf("namespaces %v, partial %v, %v", live, partial, err)
	}
}

func TestListAndDescribe(t *testing.T) {
	config := directory(t, production, staging)
	run := func(args ...string) string {
		t.Helper()
		streams, _, stdout, _ := genericiooptions.NewTestIOStreams()
		cmd := NewCommand(genericclioptions.NewConfigFlags(true), streams)
		cmd.SetArgs(append(args, "--config", config))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return stdout.String()
	}
	want := `NAME         NAMESPACES       PROMOTES-FROM   ENFORCEMENT   ENFORCED   AGE
production   shop             staging         Warn          <none>     <none>
staging      a,b,c,+1 more    <none>          Enforce       <none>     <none>
`
	if diff := cmp.Diff(strings.Fields(want), strings.Fields(run("list"))); diff != "" {
		t.Errorf("list differs (-want +got):\n%s", diff)
	}
	want = `Name:            production
Purpose:         Live
Promotes from:   staging
Enforcement:     Warn
Age:             <none>
Namespaces:
  shop
  all with the labels team=a
Rules:
  images do not have the tag latest
  Pod Security Standards: level baseline, version latest (Enforce)
  containers set requests.cpu
  containers have at most cpu 2
  new pod templates are approved by 1 other than the requester, for 24h
  custom/team: must name its team
Namespaces must hold:
  ResourceQuota of at most pods 20
  NetworkPolicy that denies egress by default
  NetworkPolicy that allows the cluster's DNS
  Pod Security labels audit, enforce, warn at level baseline, version latest
Conditions:      <none>
`
	if diff := cmp.Diff(want, run("describe", "production")); diff != "" {
		t.Errorf("describe differs (-want +got):\n%s", diff)
	}
	var object struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal([]byte(run("describe", "production", "-o", "json")), &object); err != nil || object.Kind != "Environment" {
		t.Errorf("kind %q, %v", object.Kind, err)
	}
}
