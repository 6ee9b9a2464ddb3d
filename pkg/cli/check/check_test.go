package check_test

import (
	"bytes"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/cli/check"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

var update = flag.Bool("update", false, "write the golden files")

const config = `apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  namespaces: [shop]
  rules:
    images: {registries: [registry.example.com/**], denyTags: [latest]}
    resources: {require: [limits.memory]}
    approval: {minApprovals: 1}
---
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: staging}
spec:
  namespaceSelector: {matchLabels: {stage: staging}}
  enforcement: Warn
  rules:
    images: {denyTags: [latest]}
    availability: {minReplicas: 2, podDisruptionBudget: Required}
`

const bad = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: nginx:latest
`

// repaired is bad as its report asks for.
func repaired() string {
	return strings.Replace(bad, "nginx:latest\n", "registry.example.com/nginx:1.29\n        resources: {limits: {memory: 64Mi}}\n", 1)
}

const staging = `apiVersion: v1
kind: Namespace
metadata: {name: shop-staging, labels: {stage: staging}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop-staging}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "registry.example.com/web:latest"}]}
`

const around = `---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop-staging}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop-staging}
spec: {minReplicas: 3, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
`

// run runs the command in a new directory with files. Without a cluster, unless kubeconfig is one of the files.
func run(t *testing.T, files map[string]string, stdin string, args ...string) (code exit.Code, out, errOut string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KUBECONFIG", "kubeconfig")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	var stdout, stderr bytes.Buffer
	flags := genericclioptions.NewConfigFlags(true)
	command := check.NewCommand(flags, genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &stdout, ErrOut: &stderr})
	flags.AddFlags(command.Flags())
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	code = exit.Report(&stderr, err)
	return code, stdout.String(), stderr.String()
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		stdin string
		args  string
		code  exit.Code
	}{
		"a bad manifest":                       {map[string]string{"apps/web.yaml": bad}, "", "-f apps", exit.Denied},
		"and a repaired one":                   {map[string]string{"apps/web.yaml": repaired()}, "", "-f apps", exit.Done},
		"warnings do not fail":                 {map[string]string{"web.yaml": staging}, "", "-f web.yaml", exit.Done},
		"unless asked to":                      {map[string]string{"web.yaml": staging}, "", "-f web.yaml --fail-on warn", exit.Denied},
		"surroundings are among the manifests": {map[string]string{"web.yaml": staging + around}, "", "-f web.yaml --fail-on warn", exit.Denied},
		"an environment by name":               {map[string]string{"web.yaml": bad}, "", "-f web.yaml -e staging", exit.Done},
		"no environment":                       {nil, strings.ReplaceAll(bad, "namespace: shop", "namespace: kube-system"), "-f -", exit.Failed},
		"no namespace":                         {nil, strings.ReplaceAll(repaired(), "  namespace: shop\n", ""), "-f -", exit.Failed},
		"a namespace by flag":                  {nil, strings.ReplaceAll(bad, "  namespace: shop\n", ""), "-f - -n shop", exit.Denied},
		"a misspelt field":                     {map[string]string{"web.yaml": strings.Replace(repaired(), "resources:", "imagePullPolicies: x\n        resources:", 1)}, "", "-f web.yaml", exit.Failed},
		"a misspelt field ignored":             {map[string]string{"web.yaml": strings.Replace(repaired(), "resources:", "imagePullPolicies: x\n        resources:", 1)}, "", "-f web.yaml --validate ignore", exit.Done},
		"a misspelt field warned of":           {map[string]string{"web.yaml": strings.Replace(repaired(), "resources:", "imagePullPolicies: x\n        resources:", 1)}, "", "-f web.yaml --validate warn", exit.Done},
		"a field of a wrong type":              {map[string]string{"web.yaml": strings.Replace(repaired(), "memory: 64Mi", "memory: [1]", 1) + "---\n" + strings.Replace(repaired(), "  template:", "  replicas: three\n  template:", 1)}, "", "-f web.yaml", exit.Failed},
		"what cannot be read":                  {map[string]string{"d/a.yaml": "a: [", "d/web.yaml": bad}, "", "-f d", exit.Failed},
		"Environments among the manifests":     {map[string]string{"env.yaml": strings.Replace(config, "minApprovals: 1", "minApprovals: 0", 1)}, "", "-f env.yaml", exit.Failed},
		"a kustomization":                      {map[string]string{"k/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: my-\n", "k/web.yaml": bad}, "", "-k k", exit.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			golden, err := filepath.Abs(filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{"config/environments.yaml": config}
			for name, content := range c.files {
				files[name] = content
			}
			code, out, errOut := run(t, files, c.stdin, append(strings.Fields(c.args), "--config", "config")...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			got := "$ kubectl rune check " + c.args + " --config config\n" + out + "-- stderr --\n" + errOut
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFlagsThatCannotBe(t *testing.T) {
	files := map[string]string{"config/environments.yaml": config, "web.yaml": bad, "empty/x.txt": "", "twice.yaml": config,
		"cel.yaml": strings.Replace(config, "approval: {minApprovals: 1}", "custom: [{name: a, expression: 'template.(', message: m}]", 1)}
	for name, c := range map[string]struct {
		args, want string
	}{
		"nothing to check":              {"--config config", "nothing to check: name manifests with -f PATH"},
		"a file without -f":             {"web.yaml --config config", `"web.yaml" is no flag: name manifests with -f web.yaml`},
		"an unknown format":             {"-f web.yaml --config config -o xml", "-o xml is unknown: write one of table, json, yaml, sarif, junit, github"},
		"an unknown degree":             {"-f web.yaml --config config --fail-on all", "--fail-on all is unknown"},
		"an unknown validation":         {"-f web.yaml --config config --validate yes", "--validate yes is unknown"},
		"an unknown environment":        {"-f web.yaml --config config -e test", `environment "test" does not exist: there are "production", "staging"`},
		"no configuration, no cluster":  {"-f web.yaml", "name files that hold them with --config PATH"},
		"a configuration that is not":   {"-f web.yaml --config gone", "no such file or directory"},
		"a configuration without any":   {"-f web.yaml --config empty", "holds no Environment"},
		"a rule that does not compile":  {"-f web.yaml --config cel.yaml -e staging", `of Environment "production": custom rule "a"`},
		"an object in a configuration":  {"-f web.yaml --config web.yaml", "is not read here"},
		"an Environment in two of them": {"-f web.yaml --config config --config twice.yaml", `Environment "production" stands in config and in twice.yaml`},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, files, "", strings.Fields(c.args)...)
			if code != exit.Failed || out != "" || !strings.Contains(errOut, c.want) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want 1, nothing and %q", code, out, errOut, c.want)
			}
		})
	}
}

func TestWithConfigurationTheClusterIsLeftAlone(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		http.Error(w, "no", http.StatusInternalServerError)
	}))
	defer server.Close()
	files := map[string]string{"config.yaml": config, "web.yaml": bad, "kubeconfig": kubeconfig(server.URL)}
	if code, _, errOut := run(t, files, "", "-f", "web.yaml", "--config", "config.yaml"); code != exit.Denied {
		t.Errorf("exit code %d: %s", code, errOut)
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestWithoutConfigurationTheClusterIsAsked(t *testing.T) {
	files := map[string]string{"web.yaml": bad + "---\n" + strings.ReplaceAll(bad, "namespace: shop", "namespace: other"), "kubeconfig": kubeconfig(cluster(t))}
	code, out, errOut := run(t, files, "", "-f", "web.yaml")
	if code != exit.Denied || !strings.Contains(errOut, `environment "live": 1 violation in 1 object`) || !strings.Contains(out, `namespace "other" is in no environment`) {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}
}

func kubeconfig(server string) string {
	return "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nclusters: [{name: a, cluster: {server: \"" + server + "\"}}]\nusers: [{name: a, user: {}}]\n"
}

func TestResultsKeepTheOrderOfTheManifests(t *testing.T) {
	files := map[string]string{"config.yaml": config}
	for _, name := range strings.Split("a b c d e f g h i j k l m n o p", " ") {
		files["d/"+name+".yaml"] = strings.ReplaceAll(bad, "name: web", "name: "+name)
	}
	_, first, _ := run(t, files, "", "-f", "d", "--config", "config.yaml", "-o", "json")
	for range 5 {
		if _, again, _ := run(t, files, "", "-f", "d", "--config", "config.yaml", "-o", "json"); again != first {
			t.Fatal("two runs over the same files differ")
		}
	}
}

// failing is a stream that cannot be written.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{"config.yaml": config, "web.yaml": bad} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := check.NewCommand(genericclioptions.NewConfigFlags(true), genericiooptions.IOStreams{In: strings.NewReader(""), Out: failing{}, ErrOut: &bytes.Buffer{}})
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs([]string{"-f", "web.yaml", "--config", "config.yaml"})
	if err := command.ExecuteContext(t.Context()); err == nil || exit.CodeOf(err) != exit.Failed {
		t.Errorf("got %v", err)
	}
}
