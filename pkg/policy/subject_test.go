package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

const podSpec = `{"spec":{"containers":[{"name":"app","image":"web"}],"initContainers":[{"name":"init","image":"setup"}]}}`

func TestSubjectOfEveryKind(t *testing.T) {
	template := `{"metadata":{"name":"x","namespace":"prod"},"spec":{"template":` + podSpec + `}}`
	tests := map[string]struct {
		group, kind, object, field string
	}{
		"Pod":                   {kind: "Pod", object: `{"metadata":{"name":"x","namespace":"prod"},` + podSpec[1:], field: "spec.containers[0].image"},
		"Deployment":            {group: "apps", kind: "Deployment", object: template, field: "spec.template.spec.containers[0].image"},
		"ReplicaSet":            {group: "apps", kind: "ReplicaSet", object: template, field: "spec.template.spec.containers[0].image"},
		"StatefulSet":           {group: "apps", kind: "StatefulSet", object: template, field: "spec.template.spec.containers[0].image"},
		"DaemonSet":             {group: "apps", kind: "DaemonSet", object: template, field: "spec.template.spec.containers[0].image"},
		"Job":                   {group: "batch", kind: "Job", object: template, field: "spec.template.spec.containers[0].image"},
		"ReplicationController": {kind: "ReplicationController", object: template, field: "spec.template.spec.containers[0].image"},
		"CronJob": {group: "batch", kind: "CronJob", object: `{"metadata":{"name":"x","namespace":"prod"},"spec":{"jobTemplate":{"spec":{"template":` + podSpec + `}}}}`,
			field: "spec.jobTemplate.spec.template.spec.containers[0].image"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			kind := schema.GroupKind{Group: tt.group, Kind: tt.kind}
			subject, err := policy.NewSubject(kind, []byte(tt.object))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s in %s: %s=%s %s", subject, subject.Namespace, subject.Images()[0].Field, subject.Images()[0].Image, subject.Images()[1].Pointer)
			want := fmt.Sprintf("%s \"x\" in prod: %s=web /spec/initContainers/0/image", tt.kind, tt.field)
			if got != want || !policy.Covers(kind) {
				t.Errorf("got %s (covered: %t), want %s", got, policy.Covers(kind), want)
			}
		})
	}
}

func TestSubjectRefusesWhatItCannotRead(t *testing.T) {
	deployment := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	tests := map[string]struct {
		kind   schema.GroupKind
		object string
	}{
		"another kind":               {kind: schema.GroupKind{Kind: "Service"}, object: `{}`},
		"a Deployment of extensions": {kind: schema.GroupKind{Group: "extensions", Kind: "Deployment"}, object: `{"spec":{"template":{}}}`},
		"no template":                {kind: deployment, object: `{"spec":{}}`},
		"a template that is text":    {kind: deployment, object: `{"spec":{"template":"x"}}`},
		"no JSON":                    {kind: deployment, object: `{`},
		"nothing":                    {kind: deployment, object: ``},
		"containers that are none":   {kind: deployment, object: `{"spec":{"template":{"spec":{"containers":{}}}}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if subject, err := policy.NewSubject(tt.kind, []byte(tt.object)); err == nil {
				t.Errorf("NewSubject = %+v, want an error", subject)
			}
		})
	}
}

func TestSettledImagesAreThoseThatThePodRuns(t *testing.T) {
	read := func(object string) *policy.Subject {
		subject, err := policy.NewSubject(schema.GroupKind{Kind: "Pod"}, []byte(object))
		if err != nil {
			t.Fatal(err)
		}
		return subject
	}
	old := read(`{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}`)
	pod := read(`{"spec":{"containers":[{"name":"b","image":"z"},{"name":"a","image":"x"}],"ephemeralContainers":[{"name":"a","image":"x"}]}}`)
	pod.SettleFrom(old)
	var got []string
	for _, slot := range pod.UnsettledImages() {
		got = append(got, slot.Field+"="+slot.Image)
	}
	want := []string{"spec.containers[0].image=z", "spec.ephemeralContainers[0].image=x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images to judge (-want +got):\n%s", diff)
	}
}

func TestVerdictMessageIsSortedAndTellsAll(t *testing.T) {
	a := policy.Violation{Rule: policy.RuleResources, Field: "spec.b", Message: "must set b"}
	b := policy.Violation{Rule: policy.RuleSignatures, Field: "spec.a", Message: "is unsigned"}
	got := policy.NewVerdict(a, b, a).Message("production", `Deployment "web"`)
	want := "environment \"production\" refuses Deployment \"web\": 2 violations\n  spec.a: is unsigned  [signatures]\n  spec.b: must set b  [resources]"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestSubjectRefusesQuantitiesThatNobodyCanCompute(t *testing.T) {
	deployment := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	for _, quantity := range []string{`"1e-2000000000"`, `1e-2000000000`, `"1e20000000"`} {
		_, err := policy.NewSubject(deployment, fmt.Appendf(nil,
			`{"metadata":{"name":"x"},"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"limits":{"cpu":%s}}}]}}}}`, quantity))
		if err == nil || !strings.Contains(err.Error(), "spec.containers[0].resources.limits.cpu") {
			t.Errorf("%s: error %v does not name the field", quantity, err)
		}
	}
}
