package policy_test

import (
	stdcmp "cmp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

const (
	oneDigest   = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	otherDigest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func exemptionUntil(name string, end time.Time, images []string, rules ...v1alpha1.ExemptRule) v1alpha1.Exemption {
	return v1alpha1.Exemption{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "prod"},
		Spec:       v1alpha1.ExemptionSpec{Rules: rules, Images: images, ExpiresAt: metav1.NewTime(end)},
	}
}

// What the Deployment below breaks of the rules below, by rule.
func TestExemptionsLiftViolations(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	all := map[policy.Rule]string{}
	for _, rule := range []policy.Rule{policy.RuleAccess, policy.RuleApproval, policy.RuleLabels, policy.RuleTags, "custom/calm"} {
		all[rule] = ""
	}
	lifted := func(by map[policy.Rule]string) map[policy.Rule]string {
		want := map[policy.Rule]string{}
		for rule := range all {
			want[rule] = by[rule]
		}
		return want
	}
	tests := map[string]struct {
		exemptions []v1alpha1.Exemption
		facts      policy.Facts
		pin        v1alpha1.Pin
		want       map[policy.Rule]string
	}{
		"none lifts nothing": {facts: policy.Facts{Now: now}, want: all},
		"one lifts the rules that it names": {
			facts: policy.Facts{Now: now}, exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, nil, "labels", "custom/calm")},
			want: lifted(map[policy.Rule]string{policy.RuleLabels: "a", "custom/calm": "a"}),
		},
		"another custom rule stands": {
			facts: policy.Facts{Now: now}, exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, nil, "custom", "custom/cal", "custom/calm2")}, want: all,
		},
		"approval and access are never lifted": {
			facts: policy.Facts{Now: now}, exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, nil, "approval", "access", "tags")},
			want: lifted(map[policy.Rule]string{policy.RuleTags: "a"}),
		},
		"it ends at the second that it names": {
			facts: policy.Facts{Now: now}, exemptions: []v1alpha1.Exemption{exemptionUntil("a", now, nil, "labels")}, want: all,
		},
		"it counts until then": {
			facts: policy.Facts{Now: now.Add(-time.Nanosecond)}, exemptions: []v1alpha1.Exemption{exemptionUntil("a", now, nil, "labels")},
			want: lifted(map[policy.Rule]string{policy.RuleLabels: "a"}),
		},
		"a judgement without a time lifts nothing": {
			exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, nil, "labels")}, want: all,
		},
		"the one that lasts longest is named, then the first by name": {
			facts: policy.Facts{Now: now},
			exemptions: []v1alpha1.Exemption{
				exemptionUntil("a", later, nil, "labels"), exemptionUntil("c", later.Add(1), nil, "labels", "tags"), exemptionUntil("b", later.Add(1), nil, "labels"),
			},
			want: lifted(map[policy.Rule]string{policy.RuleLabels: "b", policy.RuleTags: "c"}),
		},
		"images whose digests nobody knows are not exempt": {
			facts: policy.Facts{Now: now}, exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, []string{oneDigest, otherDigest}, "labels")}, want: all,
		},
		"a tag counts by the digest that was found": {
			facts:      policy.Facts{Now: now, Images: map[string]policy.ImageFact{"web": {Digest: otherDigest}}},
			exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, []string{oneDigest, otherDigest}, "labels")},
			want:       lifted(map[policy.Rule]string{policy.RuleLabels: "a"}),
		},
		"a tag counts by nothing where no pod is pinned to what was found": {
			facts:      policy.Facts{Now: now, Images: map[string]policy.ImageFact{"web": {Digest: otherDigest}}},
			exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, []string{oneDigest, otherDigest}, "labels")},
			pin:        v1alpha1.PinNever,
			want:       all,
		},
		"every image must be listed": {
			facts:      policy.Facts{Now: now, Images: map[string]policy.ImageFact{"web": {Digest: otherDigest}}},
			exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, []string{otherDigest}, "labels")},
			want:       all,
		},
		"the digest in the reference goes before what was found": {
			facts:      policy.Facts{Now: now, Images: map[string]policy.ImageFact{"web": {Digest: otherDigest}, "proxy@" + oneDigest: {Digest: otherDigest}}},
			exemptions: []v1alpha1.Exemption{exemptionUntil("a", later, []string{otherDigest}, "labels")},
			want:       all,
		},
	}
	rules := v1alpha1.Rules{
		Metadata: &v1alpha1.MetadataRules{Labels: []v1alpha1.RequiredMetadata{{Key: "team"}}},
		Approval: &v1alpha1.ApprovalRules{},
		Access:   &v1alpha1.AccessRules{},
		Custom:   []v1alpha1.CustomRule{{Name: "calm", Expression: "false", Message: "must be calm"}},
	}
	object := `{"metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"web"},{"name":"proxy","image":"proxy@` + oneDigest + `"}]}}}}`
	subject, err := policy.NewSubject(schema.GroupKind{Group: "apps", Kind: "Deployment"}, []byte(object))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.facts.Exemptions = tt.exemptions
			rules := rules
			rules.Images = &v1alpha1.ImageRules{DenyTags: []string{"latest"}, Pin: stdcmp.Or(tt.pin, v1alpha1.PinPods)}
			verdict := rulesetOf(t, rules).Evaluate(policy.Input{Subject: subject, Facts: tt.facts})
			got := map[policy.Rule]string{}
			for _, violation := range verdict.Violations {
				got[violation.Rule] = ""
			}
			for _, exempted := range verdict.Exempted {
				got[exempted.Rule] = exempted.Exemption
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rules by the Exemption that lifts them (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRulesThatCannotBeReadAreNamed(t *testing.T) {
	tests := map[string]struct {
		rules v1alpha1.Rules
		want  string
	}{
		"a registry that is a repository of Docker Hub": {
			rules: v1alpha1.Rules{Images: &v1alpha1.ImageRules{Pin: v1alpha1.PinNever, Registries: []string{"registry.local:5000", "library"}}},
			want:  `compiling rule registries of Environment "production": reading rules.images.registries[1]: registry "library/**" can match no image: "library" is no registry host; images of Docker Hub are "docker.io/library/*"`,
		},
		"a registry with a scheme": {
			rules: v1alpha1.Rules{Images: &v1alpha1.ImageRules{Pin: v1alpha1.PinNever, Registries: []string{"https://registry.example.com"}}},
			want:  `compiling rule registries of Environment "production": reading rules.images.registries[0]: registry "https://registry.example.com" can match no image: write a host ("registry.example.com") or a glob ("registry.example.com/team/*")`,
		},
		"a registry with nothing behind its slash": {
			rules: v1alpha1.Rules{Images: &v1alpha1.ImageRules{Pin: v1alpha1.PinNever, Registries: []string{"registry.example.com/"}}},
			want:  `compiling rule registries of Environment "production": reading rules.images.registries[0]: registry "registry.example.com/" can match no image: write a host ("registry.example.com") or a glob ("registry.example.com/team/*")`,
		},
		"a pattern that only what is put around it makes valid": {
			rules: v1alpha1.Rules{Metadata: &v1alpha1.MetadataRules{Labels: []v1alpha1.RequiredMetadata{{Key: "a", Pattern: "a)|(b"}}}},
			want:  "compiling rule labels of Environment \"production\": reading rules.metadata.labels[0].pattern: error parsing regexp: unexpected ): `a)|(b`",
		},
	}
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := compiler.Compile(&v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Rules: tt.rules}})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestWhatArrivesWithATagWillBePinned(t *testing.T) {
	ruleset := rulesetOf(t, v1alpha1.Rules{Images: &v1alpha1.ImageRules{Pin: v1alpha1.PinWorkloads}})
	subject, err := policy.NewSubject(schema.GroupKind{Kind: "Pod"}, []byte(`{"metadata":{"name":"web"},"spec":{"containers":[{"name":"app","image":"web:v1"},{"name":"bad","image":"web:"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	fields := func(in policy.Input) (fields []string) {
		for _, violation := range ruleset.Evaluate(in).Violations {
			fields = append(fields, violation.Field)
		}
		return fields
	}
	if diff := cmp.Diff([]string{"spec.containers[1].image"}, fields(policy.Input{Subject: subject, Arriving: true})); diff != "" {
		t.Errorf("arriving (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"spec.containers[0].image", "spec.containers[1].image"}, fields(policy.Input{Subject: subject})); diff != "" {
		t.Errorf("behind the mutating side (-want +got):\n%s", diff)
	}
}

func rulesetOf(t *testing.T, rules v1alpha1.Rules) *policy.Ruleset {
	t.Helper()
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	ruleset, err := compiler.Compile(&v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Rules: rules}})
	if err != nil {
		t.Fatal(err)
	}
	return ruleset
}
