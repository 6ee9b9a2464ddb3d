package policy_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

var update = flag.Bool("update", false, "write docs/policy.md anew")

// referencePath is the page that people read.
const referencePath = "../../docs/policy.md"

// documented is one rule as the template sees it.
type documented struct {
	ID, Anchor, ExemptAs string
	Doc                  policy.Doc
	Lifted               bool
	// Messages that the fail fixtures really get.
	Messages []string
}

func TestTheReferenceIsCurrent(t *testing.T) {
	page := template.Must(template.ParseFiles("testdata/reference.md.tmpl"))
	var content struct {
		Rules                         []documented
		Answer, Deferred, NeverLifted string
	}
	var deferred, never []string
	for _, check := range policy.Checks(nil) {
		rule := documented{
			ID: string(check.ID), Anchor: strings.ToLower(string(check.ID)), ExemptAs: string(check.ID), Doc: check.Doc,
			Lifted: check.ID != policy.RuleApproval && check.ID != policy.RuleAccess, Messages: deniedMessages(t, check.ID),
		}
		if check.ID == policy.RuleCustom {
			rule.ExemptAs = string(policy.CustomRule("NAME"))
		}
		if check.Doc.AdmissionOnly {
			deferred = append(deferred, rule.ID)
		}
		if !rule.Lifted {
			never = append(never, "`"+rule.ID+"`")
		}
		content.Rules = append(content.Rules, rule)
	}
	content.Deferred, content.NeverLifted = strings.Join(deferred, ", "), strings.Join(never, " and ")
	content.Answer = sampleAnswer(t)
	var want bytes.Buffer
	if err := page.Execute(&want, content); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(referencePath, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/policy.md is stale, run `go test ./pkg/policy -run TestTheReferenceIsCurrent -update` (-want +got):\n%s", diff)
	}
}

// sampleAnswer is what a Deployment without probes and limits gets.
func sampleAnswer(t *testing.T) string {
	t.Helper()
	ruleset := rulesetOf(t, v1alpha1.Rules{
		Resources: &v1alpha1.ResourceRules{Require: []v1alpha1.ResourceField{"limits.memory"}},
		Probes:    &v1alpha1.ProbeRules{Require: []v1alpha1.ProbeKind{v1alpha1.ProbeReadiness}},
	})
	subject, err := policy.NewSubject(schema.GroupKind{Group: "apps", Kind: "Deployment"},
		[]byte(`{"metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"web"}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return ruleset.Evaluate(policy.Input{Subject: subject}).Message("production", subject.String())
}

func TestTheObjectsInTheReferenceCanBeRead(t *testing.T) {
	page, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(apiVersion:.*?)```").FindAllSubmatch(page, -1) {
		var head metav1.TypeMeta
		if err := yaml.Unmarshal(block[1], &head); err != nil {
			t.Fatalf("%v in:\n%s", err, block[1])
		}
		objects := map[string]any{"Environment": &v1alpha1.Environment{}, "Exemption": &v1alpha1.Exemption{}}
		if err := yaml.UnmarshalStrict(block[1], objects[head.Kind]); err != nil {
			t.Errorf("%v in:\n%s", err, block[1])
		}
		kinds[head.Kind]++
	}
	if diff := cmp.Diff(map[string]int{"Environment": 1, "Exemption": 1}, kinds); diff != "" {
		t.Errorf("objects in docs/policy.md (-want +got):\n%s", diff)
	}
}

// deniedMessages returns one line of each fail fixture of a rule, each message once.
func deniedMessages(t *testing.T, rule policy.Rule) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", string(rule), "fail", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	said := map[string]bool{}
	for _, file := range files {
		f, _ := readFixture(t, file)
		for _, violation := range f.Want {
			if id, _, _ := strings.Cut(string(violation.Rule), "/"); id == string(rule) && !said[violation.Message] {
				said[violation.Message] = true
				lines = append(lines, violation.String())
				break
			}
		}
	}
	return lines
}

func TestEveryCheckIsDocumentedByAnExampleThatAsksIt(t *testing.T) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range policy.Checks(nil) {
		t.Run(string(check.ID), func(t *testing.T) {
			doc := check.Doc
			for name, text := range map[string]string{"Setting": doc.Setting, "Summary": doc.Summary, "Allows": doc.Allows, "Denies": doc.Denies, "Fix": doc.Fix} {
				if strings.TrimSpace(text) == "" {
					t.Errorf("Doc.%s is empty", name)
				}
			}
			var rules v1alpha1.Rules
			if err := yaml.UnmarshalStrict([]byte(doc.Example), &rules); err != nil {
				t.Fatalf("reading Doc.Example: %v", err)
			}
			ruleset, err := compiler.Compile(&v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Rules: rules}})
			if err != nil {
				t.Fatalf("compiling Doc.Example: %v", err)
			}
			if !ruleset.Asks(check.ID) {
				t.Errorf("Doc.Example does not ask the rule")
			}
			if err := settingStandsIn(doc); err != nil {
				t.Error(err)
			}
			for _, outcome := range []string{"pass", "fail"} {
				if files, _ := filepath.Glob(filepath.Join("testdata", string(check.ID), outcome, "*.yaml")); len(files) < 3 {
					t.Errorf("%d fixtures in testdata/%s/%s, want at least 3", len(files), check.ID, outcome)
				}
			}
		})
	}
}

// settingStandsIn follows Doc.Setting through the example.
func settingStandsIn(doc policy.Doc) error {
	var node any
	if err := yaml.Unmarshal([]byte(doc.Example), &node); err != nil {
		return err
	}
	for _, key := range strings.Split(doc.Setting, ".") {
		members, _ := node.(map[string]any)
		member, found := members[key]
		if !found {
			return fmt.Errorf("Doc.Setting %q does not stand in Doc.Example: no key %q", doc.Setting, key)
		}
		node = member
	}
	return nil
}
