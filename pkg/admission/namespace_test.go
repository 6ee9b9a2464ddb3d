package admission_test

import (
	"encoding/json"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The API server takes labels through the subresources of a Namespace too.
func TestANamespaceLeavesAnEnvironmentThroughNoDoor(t *testing.T) {
	raw := func(tier string) runtime.RawExtension {
		text, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "pay", "labels": map[string]string{"tier": tier}}})
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: text}
	}
	tests := map[string]struct {
		subresource, tier string
		may, allowed      bool
	}{
		"by an update":                                {tier: "dev"},
		"by its status":                               {subresource: "status", tier: "dev"},
		"by its finalizers":                           {subresource: "finalize", tier: "dev"},
		"by whoever may update the Environment":       {tier: "dev", may: true, allowed: true},
		"a status that leaves the labels as they are": {subresource: "status", tier: "production", allowed: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "production"}}
			if tt.may {
				w.holders["update"] = append(w.holders["update"], "ann")
			}
			response := w.judge.ValidateNamespace(t.Context(), environmentName, &admissionv1.AdmissionRequest{
				UID: "1", Name: "pay", Namespace: "pay", Operation: admissionv1.Update, SubResource: tt.subresource,
				Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Namespace"}, UserInfo: user("ann"),
				Object: raw(tt.tier), OldObject: raw("production"),
			})
			if response.Allowed != tt.allowed {
				t.Errorf("allowed %v: %+v", response.Allowed, response.Result)
			}
		})
	}
}
