package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

func readRules(t *testing.T, text string) v1alpha1.Rules {
	t.Helper()
	var rules v1alpha1.Rules
	if err := yaml.UnmarshalStrict([]byte(text), &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

func tryCompile(t *testing.T, rules v1alpha1.Rules) (*policy.Ruleset, error) {
	t.Helper()
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.Compile(&v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "production"},
		Spec:       v1alpha1.EnvironmentSpec{Rules: rules},
	})
}

func compileRules(t *testing.T, rules v1alpha1.Rules) *policy.Ruleset {
	t.Helper()
	ruleset, err := tryCompile(t, rules)
	if err != nil {
		t.Fatal(err)
	}
	return ruleset
}

func readPod(t *testing.T, spec string) *policy.Subject {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte("{metadata: {name: web}, spec: " + spec + "}"))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := policy.NewSubject(schema.GroupKind{Kind: "Pod"}, text)
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

func TestCompletionAddsWhatIsMissing(t *testing.T) {
	const bounded = `{resources: {defaults: {requests: {cpu: 100m, memory: 512Mi}, limits: {memory: 512Mi}}}}`
	const secure = `{podSecurity: {level: restricted, defaults: true}}`
	const probed = `{probes: {defaults: {liveness: {httpGet: {port: http, path: /live}}, readiness: {tcpSocket: {port: 8080}}}}}`
	tests := map[string]struct {
		rules, spec string
		want        map[string]string
	}{
		"an empty container gets all quantities at once": {bounded, `{containers: [{name: a}]}`, map[string]string{
			"/spec/containers/0/resources": `{"limits":{"memory":"512Mi"},"requests":{"cpu":"100m","memory":"512Mi"}}`}},
		"a limit that is set is the request, so no default stands above it": {bounded, `{containers: [{name: a, resources: {limits: {memory: 64Mi}}}]}`, map[string]string{
			"/spec/containers/0/resources/requests": `{"cpu":"100m"}`}},
		"a default limit is raised to the request that is set": {bounded, `{containers: [{name: a, resources: {requests: {cpu: 1, memory: 2Gi}}}]}`, map[string]string{
			"/spec/containers/0/resources/limits": `{"memory":"2Gi"}`}},
		"sidecars and init containers are completed, ephemeral containers are not": {bounded,
			`{containers: [], initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: 0}}}], ephemeralContainers: [{name: e}]}`, map[string]string{
				"/spec/initContainers/0/resources/requests/memory": `"512Mi"`, "/spec/initContainers/0/resources/limits": `{"memory":"512Mi"}`}},
		"what a pod as a whole bounds is left to it": {bounded, `{resources: {limits: {memory: 64Mi}}, containers: [{name: a}]}`, map[string]string{
			"/spec/containers/0/resources": `{"requests":{"cpu":"100m"}}`}},
		"null counts as absent": {bounded, `{containers: [{name: a, resources: null}, {name: b, resources: {requests: null, limits: {memory: 1Gi, cpu: 1}}}]}`, map[string]string{
			"/spec/containers/0/resources": `{"limits":{"memory":"512Mi"},"requests":{"cpu":"100m","memory":"512Mi"}}`}},

		"probes go where their port is declared": {probed, `{containers: [{name: a, ports: [{name: http, containerPort: 80}]}, {name: b, ports: [{containerPort: 8080}]}, {name: c}]}`, map[string]string{
			"/spec/containers/0/livenessProbe":  `{"httpGet":{"path":"/live","port":"http"}}`,
			"/spec/containers/1/readinessProbe": `{"tcpSocket":{"port":8080}}`}},
		"a probe over TCP asks no port of UDP": {probed, `{containers: [{name: a, ports: [{containerPort: 8080, protocol: UDP}]}]}`, nil},
		"a probe that is set stays":            {probed, `{containers: [{name: a, ports: [{containerPort: 8080}], readinessProbe: {exec: {command: [x]}}}]}`, nil},
		"pods that end get no probes":          {probed, `{restartPolicy: OnFailure, containers: [{name: a, ports: [{containerPort: 8080}]}]}`, nil},
		"sidecars get no probes":               {probed, `{initContainers: [{name: a, restartPolicy: Always, ports: [{containerPort: 8080}]}]}`, nil},

		"a pod that sets nothing becomes restricted": {secure, `{containers: [{name: a}]}`, map[string]string{
			"/spec/securityContext":              `{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}}`,
			"/spec/containers/0/securityContext": `{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}`}},
		"what every container says itself is not said for the pod": {secure,
			`{containers: [{name: a, securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, seccompProfile: {type: Localhost, localhostProfile: x}, capabilities: {drop: [ALL]}}}]}`, nil},
		"a container that asks for root keeps it": {secure, `{containers: [{name: a, securityContext: {runAsUser: 0}}, {name: b}]}`, map[string]string{
			"/spec/securityContext": `{"seccompProfile":{"type":"RuntimeDefault"}}`,
			"/spec/containers/0/securityContext/allowPrivilegeEscalation": `false`,
			"/spec/containers/0/securityContext/capabilities":             `{"drop":["ALL"]}`,
			"/spec/containers/1/securityContext":                          `{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsNonRoot":true}`}},
		"a privileged container may escalate": {secure, `{securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: a, securityContext: {privileged: true}}]}`, nil},
		"CAP_SYS_ADMIN may escalate": {secure, `{securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: a, securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}}}]}`, map[string]string{
			"/spec/containers/0/securityContext/capabilities/drop": `["ALL"]`}},
		"an empty list of capabilities is set":  {secure, `{securityContext: {runAsNonRoot: false, seccompProfile: {type: Unconfined}}, containers: [{name: a, securityContext: {allowPrivilegeEscalation: true, capabilities: {drop: []}}}]}`, nil},
		"Windows pods have none of this":        {secure, `{os: {name: windows}, containers: [{name: a}]}`, nil},
		"without defaults nothing is completed": {`{podSecurity: {level: restricted}}`, `{containers: [{name: a}]}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			completion, err := compileRules(t, readRules(t, test.rules)).Complete(readPod(t, test.spec))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			for _, addition := range completion.Additions {
				value, err := json.Marshal(addition.Value)
				if err != nil {
					t.Fatal(err)
				}
				if got == nil {
					got = map[string]string{}
				}
				got[addition.Pointer] = string(value)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("additions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPodThatSetsNothingPassesRestrictedOnceItIsCompleted(t *testing.T) {
	ruleset := compileRules(t, readRules(t, `{podSecurity: {level: restricted, version: latest, defaults: true}}`))
	pod := readPod(t, `{containers: [{name: a}], initContainers: [{name: b}], ephemeralContainers: [{name: c}]}`)
	if verdict := ruleset.Evaluate(policy.Input{Subject: pod}); verdict.Allowed() {
		t.Error("the Pod that has passed the mutating side is judged as it is, and must be refused")
	}
	if verdict := ruleset.Evaluate(policy.Input{Subject: pod, Arriving: true}); len(verdict.Violations) > 0 {
		t.Errorf("the Pod that is arriving is refused: %v", verdict.Violations)
	}
}

func TestATemplateIsJudgedAsCompleted(t *testing.T) {
	ruleset := compileRules(t, readRules(t, `{podSecurity: {level: restricted, defaults: true}, resources: {require: [requests.cpu], defaults: {requests: {cpu: 100m}}}}`))
	text := []byte(`{"metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}`)
	subject, err := policy.NewSubject(schema.GroupKind{Group: "apps", Kind: "Deployment"}, text)
	if err != nil {
		t.Fatal(err)
	}
	if verdict := ruleset.Evaluate(policy.Input{Subject: subject}); len(verdict.Violations) > 0 {
		t.Errorf("the template is refused: %v", verdict.Violations)
	}
}

func TestDefaultsThatCouldBreakAPodDoNotCompile(t *testing.T) {
	tests := map[string]struct{ rules, want string }{
		"request above limit": {`{resources: {defaults: {requests: {cpu: 2}, limits: {cpu: 1}}}}`,
			"rules.resources.defaults.requests.cpu (2) is above rules.resources.defaults.limits.cpu (1)"},
		"limit above the maximum": {`{resources: {max: {memory: 1Gi}, defaults: {requests: {memory: 1Gi}, limits: {memory: 2Gi}}}}`,
			"rules.resources.defaults.limits.memory (2Gi) is above rules.resources.max.memory (1Gi)"},
		"a limit is the request, below the minimum": {`{resources: {min: {memory: 1Gi}, defaults: {limits: {memory: 512Mi}}}}`,
			"rules.resources.defaults.limits.memory (512Mi) is below rules.resources.min.memory (1Gi)"},
		"ratio": {`{resources: {maxLimitRequestRatio: {cpu: "1.5"}, defaults: {requests: {cpu: 1}, limits: {cpu: 2}}}}`,
			"rules.resources.defaults.limits.cpu (2) is more than 1500m times rules.resources.defaults.requests.cpu (1), see rules.resources.maxLimitRequestRatio"},
		"devices":                          {`{resources: {defaults: {limits: {example.com/gpu: 1}}}}`, `"example.com/gpu" cannot have a default`},
		"negative":                         {`{resources: {defaults: {limits: {cpu: "-1"}}}}`, "rules.resources.defaults.limits.cpu must not be negative"},
		"a command asks no port":           {`{probes: {defaults: {liveness: {exec: {command: [x]}}}}}`, "rules.probes.defaults.liveness: exactly one of httpGet, tcpSocket and grpc must be set"},
		"two handlers":                     {`{probes: {defaults: {startup: {tcpSocket: {port: 1}, grpc: {port: 1}}}}}`, "rules.probes.defaults.startup: exactly one of"},
		"success threshold":                {`{probes: {defaults: {liveness: {tcpSocket: {port: 1}, successThreshold: 2}}}}`, "rules.probes.defaults.liveness: successThreshold must be 1"},
		"grace of a readiness probe":       {`{probes: {defaults: {readiness: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 5}}}}`, "terminationGracePeriodSeconds must not be set for a readiness probe"},
		"port out of range":                {`{probes: {defaults: {readiness: {tcpSocket: {port: 70000}}}}}`, `port "70000" must be between 1 and 65535`},
		"port name":                        {`{probes: {defaults: {readiness: {tcpSocket: {port: HTTP}}}}}`, `port "HTTP" must`},
		"scheme":                           {`{probes: {defaults: {readiness: {httpGet: {port: 1, scheme: ftp}}}}}`, `httpGet.scheme "ftp" must be HTTP or HTTPS`},
		"a period that runs into the past": {`{probes: {defaults: {readiness: {httpGet: {port: 1}, periodSeconds: -1}}}}`, "periodSeconds must not be negative"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompile(t, readRules(t, test.rules))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `Environment "production"`) {
				t.Errorf("error %v, want it to name the Environment and %q", err, test.want)
			}
		})
	}
}
