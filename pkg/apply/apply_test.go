package apply_test

import (
	"encoding/json"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/apply"
)

func ptr[T any](v T) *T { return &v }

func live() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "u1", ResourceVersion: "7"}}
}

// TestDeployment applies the patches with the API server's own JSON patch library.
func TestDeployment(t *testing.T) {
	tests := map[string]struct {
		change func(d *appsv1.Deployment)
		patch  apply.Change
		check  func(d *appsv1.Deployment) any
		want   any
	}{
		"the template is replaced as it stands": {
			patch: apply.Change{Template: json.RawMessage(`{"metadata":{"labels":{"a":"b"}},"spec":{"containers":null}}`)},
			check: func(d *appsv1.Deployment) any { return d.Spec.Template.Labels }, want: map[string]string{"a": "b"}},
		"pausing": {patch: apply.Change{Paused: ptr(true)}, check: func(d *appsv1.Deployment) any { return d.Spec.Paused }, want: true},
		"resuming": {change: func(d *appsv1.Deployment) { d.Spec.Paused = true }, patch: apply.Change{Paused: ptr(false)},
			check: func(d *appsv1.Deployment) any { return d.Spec.Paused }, want: false},
		"resuming what runs is nothing": {patch: apply.Change{Paused: ptr(false)}, check: func(d *appsv1.Deployment) any { return d.Spec.Paused }, want: false},
		"scaling to nothing":            {patch: apply.Change{Replicas: ptr(int32(0))}, check: func(d *appsv1.Deployment) any { return *d.Spec.Replicas }, want: int32(0)},
		"the first annotation": {patch: apply.Change{Release: ptr("web-7")},
			check: func(d *appsv1.Deployment) any { return d.Annotations }, want: map[string]string{v1alpha1.AnnotationRelease: "web-7"}},
		"one annotation more": {change: func(d *appsv1.Deployment) { d.Annotations = map[string]string{"x": "y"} }, patch: apply.Change{Release: ptr("web-7")},
			check: func(d *appsv1.Deployment) any { return d.Annotations }, want: map[string]string{"x": "y", v1alpha1.AnnotationRelease: "web-7"}},
		"the last annotation goes with its map": {change: func(d *appsv1.Deployment) { d.Annotations = map[string]string{v1alpha1.AnnotationRelease: "web-7"} },
			patch: apply.Change{Release: ptr("")}, check: func(d *appsv1.Deployment) any { return d.Annotations }, want: map[string]string(nil)},
		"an absent annotation is not removed": {patch: apply.Change{Release: ptr("")}, check: func(d *appsv1.Deployment) any { return d.Annotations }, want: map[string]string(nil)},
		"only our owner goes": {change: func(d *appsv1.Deployment) {
			d.OwnerReferences = []metav1.OwnerReference{{Name: "a", UID: "r"}, {Name: "b", UID: "other"}, {Name: "c", UID: "r"}}
		}, patch: apply.Change{Disown: "r"},
			check: func(d *appsv1.Deployment) any { return d.OwnerReferences }, want: []metav1.OwnerReference{{Name: "b", UID: "other"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := live()
			if tt.change != nil {
				tt.change(d)
			}
			got, err := patched(t, d, d, tt.patch)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, tt.check(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func patched(t *testing.T, read, stored *appsv1.Deployment, c apply.Change) (*appsv1.Deployment, error) {
	t.Helper()
	body, err := apply.Deployment(read, c)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(body)
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(document)
	if err != nil {
		return nil, err
	}
	result := &appsv1.Deployment{}
	return result, json.Unmarshal(after, result)
}

func TestAPatchOfSomethingElseDoesNotApply(t *testing.T) {
	for name, change := range map[string]func(d *appsv1.Deployment){
		"a newer resourceVersion": func(d *appsv1.Deployment) { d.ResourceVersion = "8" },
		"another object":          func(d *appsv1.Deployment) { d.UID = "u2" },
	} {
		t.Run(name, func(t *testing.T) {
			stored := live()
			change(stored)
			if _, err := patched(t, live(), stored, apply.Change{Paused: ptr(true)}); err == nil {
				t.Error("the patch was applied")
			}
		})
	}
}

func TestGiveBack(t *testing.T) {
	entry := func(manager, subresource, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "apps/v1", FieldsType: "FieldsV1",
			Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const template, replicas, labels = `{"f:spec":{"f:template":{}}}`, `{"f:spec":{"f:replicas":{}}}`, `{"f:metadata":{"f:labels":{}}}`
	tests := map[string]struct {
		saved, live, want []metav1.ManagedFieldsEntry
	}{
		"what we took goes back": {
			saved: []metav1.ManagedFieldsEntry{entry("kubectl", "", template)},
			live:  []metav1.ManagedFieldsEntry{entry("kubectl-rune", "", template)},
			want:  []metav1.ManagedFieldsEntry{entry("kubectl", "", template)}},
		"what others came to own meanwhile stays theirs": {
			saved: []metav1.ManagedFieldsEntry{entry("kubectl", "", template)},
			live:  []metav1.ManagedFieldsEntry{entry("kubectl-rune", "", template), entry("kubectl-label", "", labels)},
			want:  []metav1.ManagedFieldsEntry{entry("kubectl", "", template), entry("kubectl-label", "", labels)}},
		"an owner that gained a field has both": {
			saved: []metav1.ManagedFieldsEntry{entry("kubectl", "", template)},
			live:  []metav1.ManagedFieldsEntry{entry("kubectl", "", replicas), entry("kubectl-rune", "", template)},
			want:  []metav1.ManagedFieldsEntry{entry("kubectl", "", `{"f:spec":{"f:replicas":{},"f:template":{}}}`)}},
		"a controller's status is the controller's as it is now": {
			saved: []metav1.ManagedFieldsEntry{entry("controller", "status", `{"f:status":{"f:replicas":{}}}`)},
			live:  []metav1.ManagedFieldsEntry{entry("controller", "status", `{"f:status":{}}`), entry("kubectl-rune", "", template)},
			want:  []metav1.ManagedFieldsEntry{entry("controller", "status", `{"f:status":{}}`)}},
		"a workload that rune itself created stays rune's": {
			saved: []metav1.ManagedFieldsEntry{entry("kubectl-rune", "", template)},
			live:  []metav1.ManagedFieldsEntry{entry("kubectl-rune", "", `{"f:spec":{"f:replicas":{},"f:template":{}}}`)},
			want:  []metav1.ManagedFieldsEntry{entry("kubectl-rune", "", template)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			saved, err := json.Marshal(tt.saved)
			if err != nil {
				t.Fatal(err)
			}
			got, err := apply.GiveBack(tt.live, saved)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
