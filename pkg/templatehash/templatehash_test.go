package templatehash_test

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

const base = `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"web:v1"}]}}`

func TestOfJSONComparesWhatRuns(t *testing.T) {
	tests := map[string]struct {
		other string
		same  bool
	}{
		"the order of keys does not count": {
			other: `{"spec":{"containers":[{"image":"web:v1","name":"app"}]},"metadata":{"labels":{"app":"web"}}}`, same: true},
		"a restart does not count": {
			other: `{"metadata":{"labels":{"app":"web"},"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}},"spec":{"containers":[{"name":"app","image":"web:v1"}]}}`, same: true},
		"the Deployment controller's hash label does not count": {
			other: `{"metadata":{"labels":{"app":"web","pod-template-hash":"abc"}},"spec":{"containers":[{"name":"app","image":"web:v1"}]}}`, same: true},
		"a null creation time does not count": {
			other: `{"metadata":{"creationTimestamp":null,"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"web:v1"}]}}`, same: true},
		"another image counts": {
			other: `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"web:v2"}]}}`},
		"another label counts": {
			other: `{"metadata":{"labels":{"app":"web","x":"y"}},"spec":{"containers":[{"name":"app","image":"web:v1"}]}}`},
		"a field that no Go type knows counts": {
			other: `{"metadata":{"labels":{"app":"web"}},"spec":{"fromTheFuture":true,"containers":[{"name":"app","image":"web:v1"}]}}`},
		"an empty object is not an absent one": {
			other: `{"metadata":{"labels":{"app":"web"}},"spec":{"securityContext":{},"containers":[{"name":"app","image":"web:v1"}]}}`},
		"an annotation whose name only looks like a restart counts": {
			other: `{"metadata":{"labels":{"app":"web"},"annotations":{"restartedAt":"now"}},"spec":{"containers":[{"name":"app","image":"web:v1"}]}}`},
	}
	want, err := templatehash.OfJSON([]byte(base))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := templatehash.OfJSON([]byte(tt.other))
			if err != nil {
				t.Fatal(err)
			}
			if (got == want) != tt.same {
				t.Errorf("hash %s against %s: same = %t, want %t", got, want, got == want, tt.same)
			}
		})
	}
}

func TestOfEqualsOfJSON(t *testing.T) {
	template := &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "web:v1"}}},
	}
	raw, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := templatehash.Of(template)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := templatehash.OfJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	if typed != plain {
		t.Errorf("Of = %s, OfJSON = %s", typed, plain)
	}
}

func FuzzOfJSON(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"metadata":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		first, err := templatehash.OfJSON(raw)
		if err != nil {
			return
		}
		second, err := templatehash.OfJSON(raw)
		if err != nil || first != second {
			t.Errorf("hash is not stable: %s, then %s (%v)", first, second, err)
		}
	})
}
