package policy_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// The fuzzers hold what is read from bytes against two other ways that an object takes: through an untyped
// map, as audit and kubectl rune check read it, and through the API's own types.

func podKind() schema.GroupKind        { return schema.GroupKind{Kind: "Pod"} }
func deploymentKind() schema.GroupKind { return schema.GroupKind{Group: "apps", Kind: "Deployment"} }

// fuzzedKinds are read by every fuzzer: one that is its own template and one that holds it.
func fuzzedKinds() map[schema.GroupKind]func() any {
	return map[schema.GroupKind]func() any{
		podKind():        func() any { return &corev1.Pod{} },
		deploymentKind(): func() any { return &appsv1.Deployment{} },
	}
}

// seed adds the objects of all fixtures, and what is odd.
func seed(f *testing.F) {
	f.Helper()
	err := filepath.WalkDir("testdata", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var fixture struct {
			Object json.RawMessage `json:"object"`
		}
		if err := yaml.Unmarshal(content, &fixture); err != nil || len(fixture.Object) == 0 {
			return err
		}
		f.Add([]byte(fixture.Object))
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(largePod(f))
	for _, odd := range []string{
		`{"metadata":null,"spec":null}`, `{"spec":{"template":null}}`, `{"Spec":{"containers":[{"image":"evil"}]}}`,
		`{"spec":{"containers":[{"name":"a","image":"\u0072/x:v1","Image":"other","resources":{"limits":{"cpu":1e400}}}]}}`,
		`{"spec":{"template":{"spec":{"volumes":[{"name":"v","image":{"reference":"r/x"}}],"fieldOfTomorrow":{"a":1.0}}}}}`,
		`{"metadata":{"managedFields":"x","creationTimestamp":null},"spec":{"containers":null}}`,
	} {
		f.Add([]byte(odd))
	}
}

// untyped returns an object after its way through a map; ok is false where nothing can be compared: an API
// server encodes no field twice.
func untyped(object []byte) (result []byte, ok bool) {
	content := map[string]any{}
	strict, err := kjson.UnmarshalStrict(object, &content, kjson.DisallowDuplicateFields)
	if err != nil || len(strict) > 0 {
		return nil, false
	}
	result, err = json.Marshal(content)
	return result, err == nil
}

// typed returns an object after its way through its type, where that loses nothing.
func typed(object []byte, into any) (result []byte, lossless bool) {
	if err := utiljson.Unmarshal(object, into); err != nil {
		return nil, false
	}
	result, err := json.Marshal(into)
	if err != nil {
		return nil, false
	}
	var before, after map[string]any
	if utiljson.Unmarshal(object, &before) != nil || utiljson.Unmarshal(result, &after) != nil {
		return nil, false
	}
	for _, content := range []map[string]any{before, after} {
		unstructured.RemoveNestedField(content, "status")
	}
	return result, reflect.DeepEqual(before, after)
}

// FuzzSubject compares what is read of a pod.
func FuzzSubject(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, object []byte) {
		for kind, into := range fuzzedKinds() {
			subject, err := policy.NewSubject(kind, object)
			if _, typedErr := typed(object, into()); err == nil && !json.Valid(object) {
				t.Fatalf("%s %q is read although it is no JSON (%v)", kind, object, typedErr)
			}
			if other, ok := untyped(object); ok {
				compareSubjects(t, kind, subject, err, other)
			}
			if other, lossless := typed(object, into()); lossless {
				compareSubjects(t, kind, subject, err, other)
			}
		}
	})
}

func compareSubjects(t *testing.T, kind schema.GroupKind, subject *policy.Subject, err error, object []byte) {
	t.Helper()
	other, otherErr := policy.NewSubject(kind, object)
	if (err == nil) != (otherErr == nil) {
		t.Fatalf("%s is read with %v, and its copy %s with %v", kind, err, object, otherErr)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(subject.Images(), other.Images()); diff != "" {
		t.Errorf("images of the copy %s (-want +got):\n%s", object, diff)
	}
	// Encoded, since a map that is empty and one that is absent say the same.
	for name, parts := range map[string][2]any{
		"metadata": {subject.Metadata, other.Metadata}, "spec": {subject.Spec, other.Spec},
		"name": {subject.String() + subject.Namespace, other.String() + other.Namespace},
	} {
		before, beforeErr := json.Marshal(parts[0])
		after, afterErr := json.Marshal(parts[1])
		if beforeErr != nil || afterErr != nil || string(before) != string(after) {
			t.Errorf("%s of the copy %s:\n%s\n%s", name, object, before, after)
		}
	}
}

// fuzzedRules are those that make bench measures: all that one object can be judged by.
func fuzzedRules(tb testing.TB) *policy.Ruleset {
	tb.Helper()
	content, err := os.ReadFile("../../hack/bench/admission/rules/environment.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	var environment v1alpha1.Environment
	if err := yaml.Unmarshal(content, &environment); err != nil {
		tb.Fatal(err)
	}
	compiler, err := policy.NewCompiler()
	if err != nil {
		tb.Fatal(err)
	}
	ruleset, err := compiler.Compile(&environment)
	if err != nil {
		tb.Fatal(err)
	}
	return ruleset
}

// FuzzEvaluate compares verdicts.
func FuzzEvaluate(f *testing.F) {
	seed(f)
	ruleset := fuzzedRules(f)
	f.Fuzz(func(t *testing.T, object []byte) {
		for kind, into := range fuzzedKinds() {
			subject, err := policy.NewSubject(kind, object)
			if err != nil {
				continue
			}
			verdict := ruleset.Evaluate(policy.Input{Subject: subject})
			copies := [][]byte{}
			if other, ok := untyped(object); ok {
				copies = append(copies, other)
			}
			if other, lossless := typed(object, into()); lossless {
				copies = append(copies, other)
			}
			for _, other := range copies {
				again, err := policy.NewSubject(kind, other)
				if err != nil {
					t.Fatalf("the copy %s of %q: %v", other, object, err)
				}
				if diff := cmp.Diff(verdict, ruleset.Evaluate(policy.Input{Subject: again})); diff != "" {
					t.Errorf("the copy %s of %q is judged otherwise (-want +got):\n%s", other, object, diff)
				}
			}
		}
	})
}
