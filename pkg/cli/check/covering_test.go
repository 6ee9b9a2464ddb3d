package check_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

// cluster serves the Environments live and lax, and the namespace shop, which live selects. It returns its URL.
func cluster(t *testing.T) string {
	t.Helper()
	answers := map[string]string{
		"/apis/rune.runeframeos.com/v1alpha1/environments": `{"apiVersion":"rune.runeframeos.com/v1alpha1","kind":"EnvironmentList","items":[` +
			`{"metadata":{"name":"lax"},"spec":{"namespaceSelector":{"matchLabels":{"stage":"lax"}},"enforcement":"Warn","rules":{"images":{"denyTags":["latest"],"pin":"Never"}}}},` +
			`{"metadata":{"name":"live"},"spec":{"namespaceSelector":{"matchLabels":{"stage":"live"}},"rules":{"images":{"denyTags":["latest"],"pin":"Never"}}}}]}`,
		"/api/v1/namespaces/shop": `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"stage":"live"}}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer, known := answers[r.URL.Path]
		if !known {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"NotFound","code":404}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// judgedBy returns the environments of the objects in a table, in their order.
func judgedBy(out string) []string {
	var names []string
	for line := range strings.Lines(out) {
		if _, name, found := strings.Cut(strings.TrimSpace(line), "environment "); found && !strings.HasPrefix(line, " ") {
			names = append(names, strings.Trim(name, `"`))
		}
	}
	return names
}

func TestANamespaceAmongTheManifestsHidesNoLabelOfTheLiveOne(t *testing.T) {
	for name, c := range map[string]struct {
		namespace string
		want      []string
	}{
		"without labels":             {"metadata: {name: shop}", []string{"live"}},
		"with another label":         {"metadata: {name: shop, labels: {team: a}}", []string{"live"}},
		"with another environment's": {"metadata: {name: shop, labels: {stage: lax}}", []string{"live", "lax"}},
		"with one for none":          {"metadata: {name: shop, labels: {stage: none}}", []string{"live"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"web.yaml": "apiVersion: v1\nkind: Namespace\n" + c.namespace + "\n---\n" + bad, "kubeconfig": kubeconfig(cluster(t))}
			code, out, errOut := run(t, files, "", "-f", "web.yaml")
			if diff := cmp.Diff(c.want, judgedBy(out)); code != exit.Denied || diff != "" {
				t.Errorf("exit code %d (-want +got):\n%s\n%s\n%s", code, diff, out, errOut)
			}
		})
	}
}

func TestANamespaceCannotTakeAnothersName(t *testing.T) {
	const byName = "apiVersion: rune.runeframeos.com/v1alpha1\nkind: Environment\nmetadata: {name: named}\n" +
		"spec: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, rules: {images: {denyTags: [latest]}}}\n"
	files := map[string]string{"config.yaml": byName, "web.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {kubernetes.io/metadata.name: other}}\n---\n" + bad}
	if code, out, errOut := run(t, files, "", "-f", "web.yaml", "--config", "config.yaml"); code != exit.Denied {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}
}

func TestEveryEnvironmentThatSelectsANamespaceJudges(t *testing.T) {
	environment := func(name, label, rules string) string {
		return "---\napiVersion: rune.runeframeos.com/v1alpha1\nkind: Environment\nmetadata: {name: " + name + "}\n" +
			"spec: {namespaceSelector: {matchLabels: {" + label + "}}, rules: {" + rules + "}}\n"
	}
	files := map[string]string{
		"config.yaml": environment("a", "x: yes1", "images: {denyTags: [old]}") + environment("b", "team: z", "images: {denyTags: [latest]}"),
		"web.yaml":    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {x: yes1, team: z}}\n---\n" + strings.Replace(bad, "        image:", "        imagePolicy: x\n        image:", 1),
	}
	code, out, errOut := run(t, files, "", "-f", "web.yaml", "--config", "config.yaml")
	if code != exit.Denied || !strings.Contains(errOut, `environments "a", "b"`) || strings.Count(out, `no field "imagePolicy"`) != 1 {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}
}

func TestRunesOwnObjectsAreJudgedByTheirSchemas(t *testing.T) {
	const exemption = "apiVersion: rune.runeframeos.com/v1alpha1\nkind: Exemption\nmetadata: {name: a, namespace: shop}\n" +
		"spec:\n  workload: {kind: Deployment, name: web}\n  rules: [approval]\n  expiresAt: \"2030-01-01T00:00:00Z\"\n  reason: a reason that is long enough\n"
	files := map[string]string{"config.yaml": config, "e.yaml": exemption}
	code, out, errOut := run(t, files, "", "-f", "e.yaml", "--config", "config.yaml")
	if code != exit.Failed || !strings.Contains(out, "e.yaml:6:") || !strings.Contains(out, "spec.rules") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}
	files["e.yaml"] = strings.Replace(exemption, "approval", "tags", 1)
	if code, out, errOut = run(t, files, "", "-f", "e.yaml", "--config", "config.yaml"); code != exit.Done {
		t.Errorf("of a good one: exit code %d\n%s\n%s", code, out, errOut)
	}
}
