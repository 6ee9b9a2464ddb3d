package defaults_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest/defaults"
)

// TestObjectsAreCompletedAsAnAPIServerDoes compares with testdata/NAME.stored.yaml, which is what the scheme of
// k8s.io/kubernetes v1.37.2 (pkg/api/legacyscheme) makes of testdata/NAME.yaml: decoded, defaulted, converted to
// the internal version and encoded, as an API server does with a request.
func TestObjectsAreCompletedAsAnAPIServerDoes(t *testing.T) {
	stored, err := filepath.Glob("testdata/*.stored.yaml")
	if err != nil || len(stored) == 0 {
		t.Fatalf("found no objects: %v", err)
	}
	for _, file := range stored {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := read(t, file)
			written := read(t, strings.Replace(file, ".stored", "", 1))
			got := complete(t, written, "")
			// The state of what never ran.
			delete(want, "status")
			// The generation of a field that is in the internal version only.
			if metadata, ok := want["metadata"].(map[string]any); ok && want["kind"] == "DaemonSet" {
				delete(metadata, "annotations")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-API server +completed):\n%s", diff)
			}
			if diff := cmp.Diff(got, complete(t, got, "")); diff != "" {
				t.Errorf("the second time changes something (-first +second):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotKnownStays(t *testing.T) {
	for name, c := range map[string]struct{ kind, text, want string }{
		"an unknown field":      {"Pod", "spec: {new: {a: 1.5}, containers: [{name: a, image: 'a:1', newer: [x]}]}", "newer: [x]"},
		"a wrong type":          {"Pod", "spec: [1]", "spec: [1]"},
		"no spec":               {"Pod", "metadata: {name: a}", "metadata: {name: a, namespace: shop}"},
		"wrong types deep down": {"Deployment", "spec: {strategy: x, template: {spec: {containers: x, volumes: [1, {name: [2]}], securityContext: 3}}}", "strategy: x"},
		"no quantity":           {"Pod", "spec: {containers: [{name: a, image: 'a:1', resources: {limits: {memory: lots, cpu: '1e-2000000000'}}}]}", "memory: lots"},
		"a foreign kind":        {"Rollout", "spec: {template: {spec: {containers: [{name: a}]}}}", "spec: {template: {spec: {containers: [{name: a}]}}}"},
		"an own namespace":      {"Pod", "metadata: {namespace: own}", "metadata: {namespace: own}"},
	} {
		t.Run(name, func(t *testing.T) {
			var written map[string]any
			if err := yaml.Unmarshal([]byte("kind: "+c.kind+"\n"+c.text), &written); err != nil {
				t.Fatal(err)
			}
			got := complete(t, written, "shop")
			for key := range written {
				if got[key] == nil {
					t.Errorf("%s is lost", key)
				}
			}
			out, err := yaml.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			var all any
			if err := yaml.Unmarshal(out, &all); err != nil {
				t.Fatal(err)
			}
			var want any
			if err := yaml.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			if !holds(all, want) {
				t.Errorf("%s is not in\n%s", c.want, out)
			}
		})
	}
	if _, err := defaults.Complete(schema.GroupKind{Kind: "Pod"}, "", []byte("[")); err == nil {
		t.Error("what is no JSON was completed")
	}
}

// holds tells whether some part of a tree has all members of another.
func holds(tree, part any) bool {
	members, _ := tree.(map[string]any)
	wanted, _ := part.(map[string]any)
	all := members != nil
	for name, value := range wanted {
		all = all && cmp.Equal(members[name], value)
	}
	if all {
		return true
	}
	for _, child := range members {
		if holds(child, part) {
			return true
		}
	}
	list, _ := tree.([]any)
	for _, child := range list {
		if holds(child, part) {
			return true
		}
	}
	return false
}

func read(t *testing.T, file string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.Unmarshal(content, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func complete(t *testing.T, written map[string]any, namespace string) map[string]any {
	t.Helper()
	text, err := yaml.Marshal(written)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.YAMLToJSON(text); err != nil {
		t.Fatal(err)
	}
	kind, _ := written["kind"].(string)
	group := map[string]string{"Deployment": "apps", "ReplicaSet": "apps", "DaemonSet": "apps", "StatefulSet": "apps", "Job": "batch", "CronJob": "batch", "Rollout": "argoproj.io"}[kind]
	completed, err := defaults.Complete(schema.GroupKind{Group: group, Kind: kind}, namespace, text)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.Unmarshal(completed, &object); err != nil {
		t.Fatal(err)
	}
	return object
}
