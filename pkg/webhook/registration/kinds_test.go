package registration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/admission"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func kind(group, resource, path string) v1alpha1.WorkloadKind {
	return v1alpha1.WorkloadKind{Group: group, Kind: "X", Resource: resource, TemplatePath: path}
}

func declaring(e *v1alpha1.Environment, kinds ...v1alpha1.WorkloadKind) *v1alpha1.Environment {
	e.Spec.WorkloadKinds = kinds
	return e
}

func TestDeclaredKindsAreAskedAbout(t *testing.T) {
	rollouts, sets := kind("argoproj.io", "rollouts", "spec.template"), kind("apps.kruise.io", "clonesets", "spec.template")
	w := newWorld(t,
		declaring(born(1, "a", "one"), rollouts, sets, kind("apps.kruise.io", "daemonsets", "spec.template")),
		declaring(born(2, "b", "two"), rollouts),
		born(3, "c", "three"))
	w.settled(t)
	got := map[string][]string{}
	for _, entry := range w.validating(t).Webhooks {
		for _, rule := range entry.Rules[min(len(rules()), len(entry.Rules)):] {
			for _, resource := range rule.Resources {
				got[entry.Name] = append(got[entry.Name], rule.APIGroups[0]+"/"+rule.APIVersions[0]+"/"+resource)
			}
		}
		if *entry.FailurePolicy == "Fail" && len(entry.MatchConditions) != 1+len(got[entry.Name]) {
			t.Errorf("%s: %d conditions", entry.Name, len(entry.MatchConditions))
		}
	}
	want := map[string][]string{
		entryName("a"): {"apps.kruise.io/*/clonesets", "apps.kruise.io/*/daemonsets", "argoproj.io/*/rollouts"},
		entryName("b"): {"argoproj.io/*/rollouts"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUpdatesThatChangeNoTemplateOfADeclaredKindStayAway(t *testing.T) {
	kinds := declared([]v1alpha1.WorkloadKind{
		kind("argoproj.io", "rollouts", "spec.template"),
		kind("batch.volcano.sh", "jobs", "spec.in.pod-template"),
		// Two paths for one resource: a change of either counts.
		kind("two.io", "things", "spec.a"), kind("two.io", "things", "spec.b"),
	})
	conditions := append(matchConditions(false, false), declaredConditions(kinds, false)...)
	tests := map[string]struct {
		group, resource, old, object string
		want                         bool
	}{
		"scaling":                       {"argoproj.io", "rollouts", `{"spec":{"replicas":1,"template":{"a":1}}}`, `{"spec":{"replicas":2,"template":{"a":1}}}`, false},
		"another template":              {"argoproj.io", "rollouts", `{"spec":{"template":{"a":1}}}`, `{"spec":{"template":{"a":2}}}`, true},
		"a template that appears":       {"argoproj.io", "rollouts", `{}`, `{"spec":{"template":{"a":2}}}`, true},
		"a template that goes":          {"argoproj.io", "rollouts", `{"spec":{"template":{"a":2}}}`, `{"spec":null}`, true},
		"nothing of it is there":        {"argoproj.io", "rollouts", `{"metadata":{"a":1}}`, `{"metadata":{"a":2}}`, false},
		"a name of CEL's in the path":   {"batch.volcano.sh", "jobs", `{"spec":{"in":{"pod-template":1}}}`, `{"spec":{"in":{"pod-template":2}}}`, true},
		"another group's built-in name": {"batch.volcano.sh", "jobs", `{"spec":{"template":1,"in":{"pod-template":1}}}`, `{"spec":{"template":2,"in":{"pod-template":1}}}`, false},
		"the first of two paths":        {"two.io", "things", `{"spec":{"a":1}}`, `{"spec":{"a":2}}`, true},
		"the second of two paths":       {"two.io", "things", `{"spec":{"b":1}}`, `{"spec":{"b":2}}`, true},
		"neither of two paths":          {"two.io", "things", `{"spec":{"c":1}}`, `{"spec":{"c":2}}`, false},
		"a built-in kind":               {"apps", "deployments", `{"spec":{"template":1}}`, `{"spec":{"template":2}}`, true},
		"scaling a built-in kind":       {"apps", "deployments", `{"spec":{"replicas":1}}`, `{"spec":{"replicas":2}}`, false},
	}
	for _, minor := range []uint{30, 37} {
		m := matcher(t, minor, conditions)
		for name, test := range tests {
			if got := (review{test.group, test.resource, "", admission.Update, test.object, test.old}).asked(t, m); got != test.want {
				t.Errorf("1.%d: %s: asked=%v", minor, name, got)
			}
			if !(review{test.group, test.resource, "", admission.Create, test.object, ""}).asked(t, m) {
				t.Errorf("1.%d: %s: the creation is not asked about", minor, name)
			}
		}
	}
}

// anyJSON is a value in which the path's fields are often, but not always, objects.
func anyJSON(r *rand.Rand, path []string) any {
	switch n := r.IntN(10); {
	case n == 0:
		return nil
	case n == 1:
		return []any{int64(1), map[string]any{"template": "x"}}
	case n == 2:
		return "text"
	case n == 3:
		return int64(r.IntN(2))
	case n == 4:
		return true
	case len(path) == 0:
		return map[string]any{"containers": int64(r.IntN(2))}
	}
	object := map[string]any{"other": int64(r.IntN(3))}
	if r.IntN(5) > 0 {
		object[path[0]] = anyJSON(r, path[1:])
	}
	return object
}

// at returns what is at a path, and whether nothing but objects leads there.
func at(value any, path []string) (found any, plain bool) {
	for _, field := range path {
		if _, list := value.([]any); list {
			return nil, false
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, true
		}
		if value, ok = object[field]; !ok {
			return nil, true
		}
	}
	return value, true
}

// TestConditionsOfDeclaredKindsNeverFail draws objects of any shape: a condition that fails would deny.
func TestConditionsOfDeclaredKindsNeverFail(t *testing.T) {
	path := []string{"spec", "a-b", "template"}
	m := matcher(t, 37, declaredConditions(declared([]v1alpha1.WorkloadKind{kind("x.io", "things", strings.Join(path, "."))}), false))
	r := rand.New(rand.NewPCG(3, 4))
	kept := 0
	for range 5000 {
		text := [2]string{}
		value := [2]any{map[string]any{"spec": anyJSON(r, path[1:])}, map[string]any{"spec": anyJSON(r, path[1:])}}
		if r.IntN(3) == 0 {
			value[1] = value[0]
		}
		for i := range value {
			data, err := json.Marshal(value[i])
			if err != nil {
				t.Fatal(err)
			}
			text[i] = string(data)
		}
		asked := review{"x.io", "things", "", admission.Update, text[0], text[1]}.asked(t, m)
		now, plain := at(value[0], path)
		old, plainToo := at(value[1], path)
		if !reflect.DeepEqual(now, old) && !asked {
			t.Errorf("%s → %s: a change is not asked about", text[1], text[0])
		}
		if plain && plainToo && reflect.DeepEqual(value[0], value[1]) && asked {
			t.Errorf("%s: asked about although nothing changes", text[0])
		}
		if !asked {
			kept++
		}
	}
	if kept < 500 {
		t.Errorf("only %d of 5000 stay away", kept)
	}
}

func TestMostKindsThatAnEnvironmentCanDeclareFitTheAPIServer(t *testing.T) {
	var kinds []v1alpha1.WorkloadKind
	for i := range 100 {
		fields := make([]string, maxDepth)
		for n := range fields {
			fields[n] = strings.Repeat("f", 15)
		}
		kinds = append(kinds, kind(fmt.Sprintf("g%d.io", i), "things", strings.Join(fields, ".")))
	}
	// One that is too deep to look into.
	deep := kind("deep.io", "things", strings.Repeat("a.", 127)+"b")
	all := declared(append(kinds, deep))
	conditions := append(matchConditions(true, false), declaredConditions(all, true)...)
	if len(conditions) > 64 {
		t.Errorf("%d conditions", len(conditions))
	}
	m := matcher(t, 30, conditions)
	if !(review{"deep.io", "things", "", admission.Update, `{"metadata":{"a":1}}`, `{}`}).asked(t, m) {
		t.Error("a kind without a condition is not asked about")
	}
	if n := len(declaredRules(all)); n != 101 {
		t.Errorf("%d rules", n)
	}
}

func TestUnreadableKindsStayAskedAbout(t *testing.T) {
	w := newWorld(t, declaring(born(1, "bad", "shop"), kind("argoproj.io", "rollouts", "spec.template")))
	w.settled(t)
	before := w.entry(t, entryName("bad"))
	w.stored["bad"] = func(spec map[string]any) { spec["workloadKinds"] = []any{"Rollout"} }
	w.settled(t)
	if diff := cmp.Diff(before, w.entry(t, entryName("bad"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The built-in kinds and Rune's own cannot be declared to be something else.
func TestBuiltInKindsAreNotDeclared(t *testing.T) {
	got := declared([]v1alpha1.WorkloadKind{kind("apps", "deployments", "spec.x"), kind(v1alpha1.GroupName, "releases", "spec.to"), kind("x.io", "things", "a")})
	if len(got) != 1 || got[0].resource.Group != "x.io" {
		t.Errorf("%v", got)
	}
	if len(declaredRules(got)) != 1 {
		t.Error("more rules than kinds")
	}
}

// TestCustomRulesSeeWhatChangesOutsideOfTheTemplate: admission judges these updates, so they must reach it.
func TestCustomRulesSeeWhatChangesOutsideOfTheTemplate(t *testing.T) {
	kinds := declared([]v1alpha1.WorkloadKind{kind("argoproj.io", "rollouts", "spec.template"), kind("odd.io", "things", "template")})
	const plain = `{"metadata":{"a":1},"spec":{"replicas":1,"strategy":{"type":"RollingUpdate"},"template":{"a":1}}}`
	tests := map[string]struct {
		resources   []string
		old, object string
		want        bool
	}{
		"scaling and pausing": {
			[]string{"apps/deployments", "argoproj.io/rollouts", "batch/jobs", "batch/cronjobs"}, plain,
			`{"metadata":{"a":2},"spec":{"replicas":5,"paused":true,"suspend":true,"parallelism":2,"strategy":{"type":"RollingUpdate"},"template":{"a":1}}}`, false,
		},
		"another strategy": {
			[]string{"apps/deployments", "argoproj.io/rollouts", "batch/jobs", "odd.io/things"}, plain,
			`{"spec":{"replicas":1,"strategy":{"type":"Recreate"},"template":{"a":1}}}`, true,
		},
		"a field that goes":     {[]string{"apps/deployments", "argoproj.io/rollouts"}, plain, `{"spec":{"replicas":1,"template":{"a":1}}}`, true},
		"a field that appears":  {[]string{"apps/deployments", "argoproj.io/rollouts"}, `{"spec":{}}`, `{"spec":{"minReadySeconds":1}}`, true},
		"another template":      {[]string{"apps/statefulsets", "argoproj.io/rollouts"}, plain, `{"spec":{"strategy":{"type":"RollingUpdate"},"template":{"a":2}}}`, true},
		"a template elsewhere":  {[]string{"odd.io/things"}, `{"template":{"a":1}}`, `{"template":{"a":2}}`, true},
		"no spec at all":        {[]string{"apps/deployments", "odd.io/things"}, `{"metadata":{"a":1}}`, `{"metadata":{"a":2}}`, false},
		"a spec that is a list": {[]string{"odd.io/things"}, `{"spec":[1]}`, `{"spec":[2]}`, true},
		"a spec that is a text": {[]string{"odd.io/things"}, `{"spec":"a"}`, `{"spec":"b"}`, true},
	}
	for _, minor := range []uint{30, 37} {
		m := matcher(t, minor, append(matchConditions(true, false), declaredConditions(kinds, true)...))
		for name, test := range tests {
			for _, full := range test.resources {
				group, resource, _ := strings.Cut(full, "/")
				if got := (review{group, resource, "", admission.Update, test.object, test.old}).asked(t, m); got != test.want {
					t.Errorf("1.%d: %s: %s: asked=%v", minor, full, name, got)
				}
			}
		}
	}
}

func TestCustomRulesChangeTheConditions(t *testing.T) {
	with := born(1, "custom", "shop")
	with.Spec.Rules.Custom = []v1alpha1.CustomRule{{Name: "a", Expression: "true", Message: "m"}}
	w := newWorld(t, with, born(2, "plain", "pay"))
	w.settled(t)
	if got := w.entry(t, entryName("custom")).MatchConditions; got[0] != matchConditions(true, false)[0] {
		t.Errorf("%+v", got)
	}
	if got := w.entry(t, entryName("plain")).MatchConditions; got[0] != matchConditions(false, false)[0] {
		t.Errorf("%+v", got)
	}
	w.stored["custom"] = func(spec map[string]any) { spec["rules"] = "banana" }
	w.settled(t)
	if got := w.entry(t, entryName("custom")).MatchConditions; got[0] != matchConditions(true, false)[0] {
		t.Errorf("unreadable: %+v", got)
	}
}
