package admission_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "sigs.k8s.io/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// everyRule are rules whose checks look at every part of an object.
func everyRule() v1alpha1.Rules {
	rules := strict()
	rules.Images.Registries, rules.Images.DenyTags, rules.Images.Volumes = []string{"r.local"}, []string{"latest"}, v1alpha1.PermissionDeny
	rules.Probes = &v1alpha1.ProbeRules{Require: []v1alpha1.ProbeKind{v1alpha1.ProbeReadiness}}
	rules.Availability = &v1alpha1.AvailabilityRules{MinReplicas: 2, PodDisruptionBudget: v1alpha1.NecessityRequired}
	rules.ServiceAccount = &v1alpha1.ServiceAccountRules{Token: v1alpha1.TokenDeny}
	rules.Metadata = &v1alpha1.MetadataRules{Labels: []v1alpha1.RequiredMetadata{{Key: "app", Pattern: "[a-z]+"}}}
	rules.Access = &v1alpha1.AccessRules{}
	rules.PodSecurity.Defaults = true
	rules.Resources.Defaults = &v1alpha1.ResourceSettings{Requests: quantities("cpu", "100m")}
	return rules
}

// FuzzValidate sends any bytes through both doors: nothing panics, every refusal has a reason, and an object gets
// one verdict, whether its bytes are judged or what is left of them after decoding without types.
func FuzzValidate(f *testing.F) {
	f.Add("", "Pod", podOf("r.local/web:v1"), []byte(nil))
	f.Add("", "Pod", podOf("r.local/web:v2"), podOf("r.local/web:v1"))
	f.Add("apps", "Deployment", deployment("web", "d1", template("r.local/web:v2"), pointsTo("web-7")), deployment("web", "d1", template("r.local/web:v1")))
	f.Add("apps", "StatefulSet", object("apps/v1", "StatefulSet", "web", "", template("x")), []byte(nil))
	f.Add("batch", "CronJob", object("batch/v1", "CronJob", "x", "", template("x")), []byte(`{"spec":null}`))
	f.Add("example.org", "Rollout", object("example.org/v1", "Rollout", "x", "", template("x")), []byte(nil))
	f.Add("rune.runeframeos.com", "Release", release("web-7", "d1", template("r.local/web:v2")), []byte(nil))
	f.Add("rune.runeframeos.com", "Approval", approval("a", "web-7", "u"), []byte(`{}`))
	f.Add("rune.runeframeos.com", "Exemption", exemption("tmp", "Deployment", "web", "resources"), []byte(nil))
	f.Add("apps", "ControllerRevision", []byte(`{"data":1}`), []byte(`{"DATA":1}`))
	f.Fuzz(func(t *testing.T, group, kind string, object, old []byte) {
		w := newWorld(t)
		w.environment.Spec.Rules = everyRule()
		w.environment.Spec.WorkloadKinds = rollouts()
		request := &admissionv1.AdmissionRequest{Operation: admissionv1.Create, Namespace: "prod", UserInfo: controller("replicaset-controller")}
		request.Kind.Group, request.Kind.Kind = group, kind
		request.Object.Raw, request.OldObject.Raw = object, old
		if old != nil {
			request.Operation = admissionv1.Update
		}
		var answers []*admissionv1.AdmissionResponse
		for _, response := range []*admissionv1.AdmissionResponse{
			w.judge.Validate(t.Context(), environmentName, request), w.judge.Mutate(t.Context(), environmentName, request),
			w.judge.ValidateNamespace(t.Context(), environmentName, request), w.judge.ValidateConfiguration(t.Context(), request),
		} {
			if response == nil || (!response.Allowed && response.Result.Message == "") {
				t.Errorf("response is %+v, want one with a reason", response)
			}
			answers = append(answers, response)
		}
		object, same := roundTrip(object)
		old, sameOld := roundTrip(old)
		if !same || !sameOld {
			return
		}
		request.Object.Raw, request.OldObject.Raw = object, old
		if diff := cmp.Diff(answers[0], w.judge.Validate(t.Context(), environmentName, request)); diff != "" {
			t.Errorf("the verdict differs after decoding without types (-bytes +untyped):\n%s", diff)
		}
	})
}

// roundTrip decodes an object without types and encodes it again. It is not the same where the bytes say
// something twice or in a form that no API server sends, which the two ways of decoding may read differently.
func roundTrip(raw []byte) (encoded []byte, same bool) {
	if raw == nil {
		return nil, true
	}
	var tree map[string]any
	if strict, err := kjson.UnmarshalStrict(raw, &tree); err != nil || len(strict) > 0 || tree == nil {
		return nil, false
	}
	encoded, err := (&unstructured.Unstructured{Object: tree}).MarshalJSON()
	return encoded, err == nil && bytes.Equal(numbers(raw), numbers(encoded))
}

// numbers encodes again what any decoder of package json reads, with each number as it is written.
func numbers(raw []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var tree any
	if decoder.Decode(&tree) != nil {
		return nil
	}
	encoded, err := json.Marshal(tree)
	if err != nil {
		return nil
	}
	return encoded
}
