package files

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

const production = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  namespaces: [shop-prod]
  rules:
    images: {}
    podSecurity: {level: restricted}
    approval: {minApprovals: 2}
`

const policy = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: ImagePolicy
metadata: {name: web}
spec:
  images: ["registry.example/web"]
  environments: [production]
  authorities:
  - name: release
    key: {data: "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWRzqa7vedGrm1bLTLdrM2yyC9MRq\nWMA3VdsQU1njZ6kWYYzWIlfvVwTUvBwd3FGhtVEktOpSZ4u34etSpDjn+g==\n-----END PUBLIC KEY-----\n"}
`

func newLoader(t *testing.T) *Loader {
	t.Helper()
	l, err := NewLoader()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func directory(files map[string]string) fstest.MapFS {
	d := fstest.MapFS{}
	for name, content := range files {
		d[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return d
}

func TestFilesGetTheDefaultsOfTheAPI(t *testing.T) {
	set, err := newLoader(t).Load(t.Context(), directory(map[string]string{
		"b.yaml": production, "a.yml": "# nothing\n---\n" + policy + "---\n", "notes.txt": "{", ".hidden.yaml": "{",
		"c.json": `{"apiVersion":"rune.runeframeos.com/v1alpha1","kind":"Environment","metadata":{"name":"a"},"spec":{"namespaces":["x"],"enforcement":"Warn"}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Environments) != 2 || set.Environments[0].Name != "a" || len(set.ImagePolicies) != 1 {
		t.Fatalf("%+v", set)
	}
	got := set.Environments[1].Spec
	if got.Enforcement != v1alpha1.EnforcementEnforce || set.Environments[0].Spec.Enforcement != v1alpha1.EnforcementWarn {
		t.Errorf("enforcement %q", got.Enforcement)
	}
	if got.Rules.Images.Pin != v1alpha1.PinPods || got.Rules.PodSecurity.Version != "latest" {
		t.Errorf("rules %+v", got.Rules)
	}
	approval := got.Rules.Approval
	if approval.MinApprovals != 2 || !*approval.SeparateRequester || approval.ValidFor.Duration != 24*time.Hour || approval.Rollback != v1alpha1.RollbackApprovalRequired {
		t.Errorf("approval %+v", approval)
	}
}

func TestProblemsNameTheirFile(t *testing.T) {
	with := func(old, replacement string) string { return strings.Replace(production, old, replacement, 1) }
	tests := map[string]struct {
		content string
		want    string
	}{
		"an unknown field":        {with("rules:", "rulez:"), `env.yaml: Environment "production": unknown field "spec.rulez"`},
		"a deep unknown field":    {with("level: restricted", "level: restricted, extra: 1"), `unknown field "spec.rules.podSecurity.extra"`},
		"a field twice":           {with("spec:", "kind: Environment\nspec:"), `key "kind" already set`},
		"a wrong type":            {with("minApprovals: 2", `minApprovals: "2"`), `minApprovals`},
		"a value out of bounds":   {with("minApprovals: 2", "minApprovals: 11"), `spec.rules.approval.minApprovals: Invalid value`},
		"a value not in the list": {with("level: restricted", "level: strict"), `supported values: "privileged", "baseline", "restricted"`},
		"a broken CEL rule":       {with("shop-prod", "kube-system"), "system namespaces"},
		"a set with duplicates":   {with("[shop-prod]", "[a, a]"), "Duplicate value"},
		"no namespaces":           {with("namespaces: [shop-prod]", "purpose: x"), "needs namespaces or a namespaceSelector"},
		"a selector that cannot be read": {with("namespaces: [shop-prod]", "namespaceSelector: {matchExpressions: [{key: tier, operator: Inn, values: [prod]}]}"),
			`spec.namespaceSelector: Invalid value: "Inn" is not a valid label selector operator`},
		"another kind":        {with("kind: Environment", "kind: Release"), "Release is not read here"},
		"another version":     {with("v1alpha1", "v9"), "rune.runeframeos.com/v9 Environment is not read here"},
		"no kind":             {"a: 1", "an object without apiVersion an object without kind is not read here"},
		"no name":             {with("{name: production}", "{}"), `metadata.name ""`},
		"a bad name":          {with("{name: production}", "{name: Prod_1}"), `metadata.name "Prod_1"`},
		"no YAML":             {"{", "env.yaml: "},
		"an endless quantity": {with("level: restricted}", "level: restricted}\n    resources: {max: {cpu: \"1e-2000000000\"}}"), `spec.rules.resources.max.cpu: "1e-2000000000"`},
		"a list":              {"[1]", "env.yaml: "},
		"a second document":   {production + "---\n" + with("rules:", "rulez:"), "env.yaml (document 2): Environment \"production\""},
	}
	loader := newLoader(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := loader.Load(t.Context(), directory(map[string]string{"env.yaml": test.content}))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v\nwant %q in it", err, test.want)
			}
		})
	}
}

func TestAllProblemsAreToldAtOnceInOrder(t *testing.T) {
	_, err := newLoader(t).Load(t.Context(), directory(map[string]string{
		"a.yaml": strings.Replace(production, "rules:", "rulez:", 1),
		"b.yaml": "[",
		"c.yaml": production,
		"d.yaml": production,
	}))
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	var files []string
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		files = append(files, name)
	}
	if diff := cmp.Diff([]string{"a.yaml", "b.yaml", "c.yaml", "d.yaml"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s\n%s", diff, err)
	}
	if !strings.Contains(lines[2], `Environment "production" stands in a.yaml already`) {
		t.Errorf("%s", lines[2])
	}
}
