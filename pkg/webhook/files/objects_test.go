package files

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestObjectsAreCheckedByTheirSchemas(t *testing.T) {
	objects, err := NewObjects()
	if err != nil {
		t.Fatal(err)
	}
	const good = "apiVersion: rune.runeframeos.com/v1alpha1\nkind: Exemption\nmetadata: {name: a, namespace: shop}\n" +
		"spec:\n  workload: {kind: Deployment, name: web}\n  rules: [tags]\n  expiresAt: \"2030-01-01T00:00:00Z\"\n  reason: a reason that is long enough\n"
	for name, c := range map[string]struct {
		text, want string
	}{
		"a good one passes":             {good, ""},
		"a rule that cannot be lifted":  {strings.Replace(good, "[tags]", "[approval]", 1), "spec.rules"},
		"no rules":                      {strings.Replace(good, "[tags]", "[]", 1), "spec.rules"},
		"a field that nobody knows":     {strings.Replace(good, "  rules:", "  rule: x\n  rules:", 1), `"spec.rule"`},
		"a time that is none":           {strings.Replace(good, "2030-01-01T00:00:00Z", "soon", 1), "soon"},
		"a field of a wrong type":       {strings.Replace(good, "name: web", "name: [web]", 1), "name"},
		"a spec that is missing is bad": {strings.Split(good, "spec:")[0], "spec"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := yaml.YAMLToJSON([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			errs := objects.Validate(t.Context(), "Exemption", data)
			if c.want == "" && len(errs) > 0 {
				t.Errorf("got %v", errs)
			}
			if c.want != "" && (len(errs) == 0 || !strings.Contains(errs[0].Error(), c.want)) {
				t.Errorf("got %v, want %q", errs, c.want)
			}
		})
	}
}
