package check_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

func TestPodsThatNobodyJudgedAreNoSuccess(t *testing.T) {
	const pods = "{metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: 'nginx:latest'}]}}"
	for name, c := range map[string]struct {
		text, reason string
		summary      string
	}{
		"a namespace in no environment":   {strings.ReplaceAll(repaired(), "namespace: shop", "namespace: other"), `namespace "other" is in no environment`, "skipped: 1 object"},
		"no namespace":                    {strings.ReplaceAll(repaired(), "  namespace: shop\n", ""), "pass -n NAMESPACE or --environment NAME", "skipped: 1 object"},
		"a group that is served no more":  {"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: " + pods + "}\n", "use apiVersion apps/v1", "skipped: 1 object"},
		"a kind that nobody declared":     {"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web, namespace: shop}\nspec: {template: " + pods + "}\n", "holds a pod template in spec.template, and no environment declares Rollout of argoproj.io/v1alpha1: declare it in spec.workloadKinds", "skipped: 1 object"},
		"a template in a list":            {"apiVersion: jobset.x-k8s.io/v1\nkind: JobSet\nmetadata: {name: web, namespace: shop}\nspec: {jobs: [{name: a}, {template: {spec: {template: " + pods + "}}}]}\n", "spec.jobs[1].template.spec.template", "skipped: 1 object"},
		"a PodTemplate":                   {"apiVersion: v1\nkind: PodTemplate\nmetadata: {name: web, namespace: shop}\ntemplate: " + pods + "\n", "a PodTemplate is judged by no rules", "skipped: 1 object"},
		"containers that are no template": {"apiVersion: example.com/v1\nkind: Scraper\nmetadata: {name: web, namespace: shop}\nspec: {containers: [{name: a, image: b}]}\n", "", "without pods: 1 object"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"config.yaml": config, "web.yaml": c.text}
			code, out, errOut := run(t, files, "", "-f", "web.yaml", "--config", "config.yaml")
			want := exit.Failed
			if c.reason == "" {
				want = exit.Done
			}
			if code != want || !strings.Contains(out, c.reason) || !strings.Contains(errOut, c.summary) {
				t.Errorf("exit code %d, want %d, %q and %q\n%s\n%s", code, want, c.reason, c.summary, out, errOut)
			}
			if want == exit.Failed && !strings.Contains(errOut, "-n NAMESPACE, judge by one environment with --environment NAME") {
				t.Errorf("no way out is named: %s", errOut)
			}
			if code, _, errOut := run(t, files, "", "-f", "web.yaml", "--config", "config.yaml", "--allow-skipped"); code != exit.Done {
				t.Errorf("with --allow-skipped: exit code %d\n%s", code, errOut)
			}
		})
	}
}

func TestCustomRulesSeeWhatTheAPIServerMakesOfAManifest(t *testing.T) {
	custom := func(expression string) string {
		return "apiVersion: rune.runeframeos.com/v1alpha1\nkind: Environment\nmetadata: {name: production}\nspec:\n  namespaces: [shop]\n" +
			"  rules: {custom: [{name: c, message: is not so, expression: \"" + expression + "\"}]}\n"
	}
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: 'a:1', ports: [{containerPort: 80}], resources: {limits: {memory: 67108864}}}], volumes: [{name: v}]}\n"
	for name, expression := range map[string]string{
		"the namespace":           "object.metadata.namespace == 'shop'",
		"a quantity in its form":  "template.spec.containers.all(c, c.resources.limits.memory == '67108864')",
		"requests out of limits":  "template.spec.containers.all(c, c.resources.requests.memory == '67108864')",
		"a default of the pod":    "template.spec.restartPolicy == 'Always' && template.spec.dnsPolicy == 'ClusterFirst'",
		"a default of containers": "template.spec.containers.all(c, c.imagePullPolicy == 'IfNotPresent' && c.ports.all(p, p.protocol == 'TCP'))",
		"a volume without source": "template.spec.volumes.all(v, has(v.emptyDir))",
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"config.yaml": custom(expression), "web.yaml": pod}
			if code, out, errOut := run(t, files, "", "-f", "web.yaml", "--config", "config.yaml", "-n", "shop"); code != exit.Done {
				t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
			}
		})
	}
}

func TestAnInvalidQuantityIsToldAtItsField(t *testing.T) {
	files := map[string]string{"config.yaml": config, "web.yaml": strings.Replace(repaired(), "memory: 64Mi", "memory: 1X", 1)}
	code, out, _ := run(t, files, "", "-f", "web.yaml", "--config", "config.yaml")
	if code != exit.Failed || !strings.Contains(out, "web.yaml:18:") || !strings.Contains(out, "spec.template.spec.containers[0].resources.limits.memory") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}
