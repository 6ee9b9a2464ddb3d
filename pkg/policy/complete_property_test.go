package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// dice draws parts of random objects, in JSON's terms.
type dice struct{ *rand.Rand }

type object = map[string]any

func pick[T any](d dice, choices ...T) T { return choices[d.IntN(len(choices))] }

// maybe sets a key in one of two cases, now and then to null.
func (d dice) maybe(into object, key string, value any) {
	switch d.IntN(8) {
	case 0:
		into[key] = nil
	case 1, 2, 3:
		into[key] = value
	}
}

func (d dice) quantities() object {
	requests, limits := object{}, object{}
	for name, sizes := range map[string][]string{
		"cpu": {"0", "100m", "500m", "2"}, "memory": {"1Mi", "64Mi", "512Mi", "4Gi"}, "example.com/gpu": {"1", "1"},
	} {
		low := d.IntN(len(sizes))
		high := low + d.IntN(len(sizes)-low)
		set := d.IntN(4)
		if name == "example.com/gpu" {
			high = low
		}
		if set&1 != 0 {
			requests[name] = sizes[low]
		}
		if set&2 != 0 {
			limits[name] = sizes[high]
		}
	}
	resources := object{"claims": []any{object{"name": "gpu"}}}
	d.maybe(resources, "requests", requests)
	d.maybe(resources, "limits", limits)
	return pick(d, resources, object{})
}

func (d dice) containerSecurity() object {
	context := object{"futureField": object{"a/b": "~"}}
	d.maybe(context, "runAsNonRoot", pick(d, true, false))
	d.maybe(context, "runAsUser", pick(d, 0, 1000))
	capabilities := object{}
	d.maybe(capabilities, "add", pick(d, []any{"CAP_SYS_ADMIN"}, []any{"SYS_ADMIN"}, []any{"NET_BIND_SERVICE"}))
	d.maybe(capabilities, "drop", pick(d, []any{"ALL"}, []any{}, []any{"KILL"}))
	d.maybe(context, "capabilities", capabilities)
	d.maybe(context, "seccompProfile", object{"type": pick(d, "RuntimeDefault", "Unconfined")})
	if d.IntN(4) == 0 {
		context["privileged"] = pick(d, true, false)
	} else {
		d.maybe(context, "allowPrivilegeEscalation", true)
	}
	return pick(d, context, object{})
}

func (d dice) container(i int, ephemeral bool) object {
	c := object{"name": fmt.Sprintf("c%d", i), "image": "web", "futureList": []any{1, 2.5, "é\u2028", nil}}
	d.maybe(c, "securityContext", d.containerSecurity())
	if ephemeral {
		return c
	}
	d.maybe(c, "resources", d.quantities())
	d.maybe(c, "ports", []any{object{"containerPort": pick(d, 8080, 9090), "name": pick(d, "http", "admin"), "protocol": pick(d, "TCP", "UDP")}})
	d.maybe(c, "livenessProbe", object{"exec": object{"command": []any{"true"}}})
	d.maybe(c, "readinessProbe", object{"tcpSocket": object{"port": 8080}})
	return c
}

func (d dice) template() object {
	spec := object{"containers": d.containers("containers", 3), "futureSpec": object{"resources": object{}}}
	d.maybe(spec, "initContainers", d.containers("initContainers", 2))
	d.maybe(spec, "ephemeralContainers", d.containers("ephemeralContainers", 1))
	d.maybe(spec, "restartPolicy", pick(d, "Always", "Never", "OnFailure"))
	security := object{}
	d.maybe(security, "runAsNonRoot", pick(d, true, false))
	d.maybe(security, "runAsUser", pick(d, 0, 1000))
	d.maybe(security, "seccompProfile", object{"type": "RuntimeDefault"})
	d.maybe(spec, "securityContext", security)
	if d.IntN(6) == 0 {
		spec["os"] = object{"name": pick(d, "windows", "linux")}
	}
	if d.IntN(6) == 0 {
		spec["resources"] = object{"requests": object{"cpu": "4"}}
	}
	return object{"metadata": object{"labels": object{"app": "web"}}, "spec": spec}
}

func (d dice) containers(list string, most int) []any {
	containers := []any{}
	for i := range d.IntN(most + 1) {
		containers = append(containers, d.container(i, list == "ephemeralContainers"))
	}
	return containers
}

// subject draws an object of some kind, in text with all freedom that JSON leaves.
func (d dice) subject(t *testing.T) (schema.GroupKind, []byte) {
	t.Helper()
	template := d.template()
	kind, whole := schema.GroupKind{Kind: "Pod"}, template
	switch d.IntN(3) {
	case 0:
		kind, whole = schema.GroupKind{Group: "apps", Kind: "Deployment"}, object{"spec": object{"template": template, "x": 1}}
	case 1:
		kind = schema.GroupKind{Group: "batch", Kind: "CronJob"}
		whole = object{"spec": object{"jobTemplate": object{"spec": object{"template": template}, "y": "z"}}}
	}
	text, err := json.Marshal(whole)
	if d.IntN(2) == 0 {
		text, err = json.MarshalIndent(whole, " ", "\t")
	}
	if err != nil {
		t.Fatal(err)
	}
	return kind, text
}

func (d dice) rules(t *testing.T) v1alpha1.Rules {
	t.Helper()
	return readRules(t, pick(d,
		`{resources: {defaults: {requests: {cpu: 250m, memory: 128Mi}, limits: {memory: 256Mi}}}}`,
		`{resources: {defaults: {limits: {cpu: "1", memory: 128Mi}}}}`,
		`{resources: {defaults: {requests: {memory: 1Gi}}}, podSecurity: {level: baseline, defaults: true}}`,
		`{podSecurity: {level: restricted, defaults: true}, probes: {defaults: {liveness: {tcpSocket: {port: http}}}}}`,
		`{probes: {defaults: {readiness: {httpGet: {port: 8080, path: /ready}, successThreshold: 2}, startup: {grpc: {port: 9090}}}}}`,
		`{podSecurity: {level: restricted, defaults: true}, resources: {defaults: {requests: {cpu: 1m, ephemeral-storage: 1Gi}, limits: {cpu: 50m}}},
		  probes: {defaults: {liveness: {httpGet: {port: 9090}}, readiness: {tcpSocket: {port: 8080}}, startup: {tcpSocket: {port: admin}}}}}`,
	))
}

func TestCompletionOfRandomPods(t *testing.T) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	added := 0
	for seed := range uint64(1500) {
		d := dice{rand.New(rand.NewPCG(seed, 3))}
		rules := d.rules(t)
		ruleset, err := compiler.Compile(&v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Rules: rules}})
		if err != nil {
			t.Fatal(err)
		}
		kind, text := d.subject(t)
		subject, err := policy.NewSubject(kind, text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		completion, err := ruleset.Complete(subject)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		added += len(completion.Additions)
		if string(subject.Object) != string(text) {
			t.Fatalf("seed %d: the subject's own text was changed", seed)
		}
		sameAsPatched(t, subject, completion)
		keepsAll(t, "", decode(t, text), decode(t, completion.Subject.Object))
		staysValid(t, subject, completion)
		again, err := ruleset.Complete(completion.Subject)
		if err != nil || len(again.Additions) > 0 {
			t.Errorf("seed %d: completing again adds %v, error %v", seed, again.Additions, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d, rules %+v:\n%s\ncompleted:\n%s", seed, rules, text, completion.Subject.Object)
		}
	}
	if added < 1500 {
		t.Errorf("only %d additions: the random pods lack too little", added)
	}
}

// sameAsPatched requires that the completed subject is what the additions make of the object.
func sameAsPatched(t *testing.T, subject *policy.Subject, completion *policy.Completion) {
	t.Helper()
	if len(completion.Additions) == 0 {
		return
	}
	var operations []object
	prefix := ""
	if subject.TemplatePath != "" {
		prefix = "/" + strings.ReplaceAll(subject.TemplatePath, ".", "/")
	}
	for _, addition := range completion.Additions {
		operations = append(operations, object{"op": "add", "path": prefix + addition.Pointer, "value": addition.Value})
	}
	text, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply(subject.Object)
	if err != nil {
		t.Errorf("patching with %s: %v", text, err)
		return
	}
	want, err := policy.NewSubject(subject.Kind, patched)
	if err != nil {
		t.Errorf("reading what was patched: %v", err)
		return
	}
	got := *completion.Subject
	for _, pair := range [][2][]byte{{want.Object, got.Object}, {want.Template, got.Template}} {
		if diff := cmp.Diff(decode(t, pair[0]), decode(t, pair[1])); diff != "" {
			t.Errorf("the completed text differs from the patched one (-patched +completed):\n%s", diff)
		}
	}
	got.Object, got.Template = want.Object, want.Template
	if !reflect.DeepEqual(want, &got) {
		t.Errorf("the completed subject differs from the patched one (-patched +completed):\n%s", cmp.Diff(want.Spec, got.Spec))
	}
}

// keepsAll requires that whatever stands in a document stands in the completed one.
func keepsAll(t *testing.T, path string, before, after any) {
	t.Helper()
	switch b := before.(type) {
	case nil:
	case object:
		a, _ := after.(object)
		for key, value := range b {
			keepsAll(t, path+"/"+key, value, a[key])
		}
	case []any:
		a, _ := after.([]any)
		if len(a) != len(b) {
			t.Errorf("%s: %d elements became %d", path, len(b), len(a))
			return
		}
		for i := range b {
			keepsAll(t, fmt.Sprintf("%s/%d", path, i), b[i], a[i])
		}
	default:
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s: %v became %v", path, before, after)
		}
	}
}

// staysValid asserts what the API server's validation demands of the fields that completion may add.
func staysValid(t *testing.T, before *policy.Subject, completion *policy.Completion) {
	t.Helper()
	spec, old := completion.Subject.Spec, before.Spec
	windows := spec.OS != nil && spec.OS.Name == corev1.Windows
	if windows && (!reflect.DeepEqual(spec.SecurityContext, old.SecurityContext)) {
		t.Error("the security context of a Windows pod was changed")
	}
	check := func(c, was corev1.Container) {
		for name, request := range c.Resources.Requests {
			if limit, found := c.Resources.Limits[name]; found && request.Cmp(limit) > 0 {
				t.Errorf("container %q requests %s of %s, above its limit %s", c.Name, request.String(), name, limit.String())
			}
		}
		if context := c.SecurityContext; context != nil && context.AllowPrivilegeEscalation != nil && !*context.AllowPrivilegeEscalation {
			if context.Privileged != nil && *context.Privileged {
				t.Errorf("container %q is privileged and may not escalate", c.Name)
			}
			if context.Capabilities != nil && len(context.Capabilities.Add) > 0 && context.Capabilities.Add[0] == "CAP_SYS_ADMIN" {
				t.Errorf("container %q has CAP_SYS_ADMIN and may not escalate", c.Name)
			}
		}
		if windows && !reflect.DeepEqual(c.SecurityContext, was.SecurityContext) {
			t.Errorf("the security context of the Windows container %q was changed", c.Name)
		}
	}
	for i := range spec.Containers {
		check(spec.Containers[i], old.Containers[i])
	}
	for i := range spec.InitContainers {
		check(spec.InitContainers[i], old.InitContainers[i])
		if spec.InitContainers[i].LivenessProbe != old.InitContainers[i].LivenessProbe && old.InitContainers[i].LivenessProbe == nil {
			t.Errorf("init container %d got a probe", i)
		}
	}
	for i := range spec.EphemeralContainers {
		common := spec.EphemeralContainers[i].EphemeralContainerCommon
		check(corev1.Container(common), corev1.Container(old.EphemeralContainers[i].EphemeralContainerCommon))
		if common.Resources.Requests != nil || common.Resources.Limits != nil || common.LivenessProbe != nil {
			t.Errorf("ephemeral container %d got resources or probes", i)
		}
	}
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := utiljson.Unmarshal(text, &value); err != nil {
		t.Fatalf("decoding %s: %v", text, err)
	}
	return value
}
