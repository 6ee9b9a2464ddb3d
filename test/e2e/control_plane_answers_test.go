//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// answering is the environment and the namespace of this file's test.
const answering = "cp-answers"

// completing fills in what its rules ask for, and warns of labels.
const completing = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: cp-answers}
spec:
  namespaces: [cp-answers]
  rules:
    images: {pin: Never, registries: ["registry.example.com/*"]}
    podSecurity: {level: restricted, defaults: true}
    metadata: {enforcement: Warn, labels: [{key: team}]}
    resources:
      require: [requests.cpu, requests.memory, limits.memory]
      max: {memory: 256Mi}
      defaults: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 128Mi}}
`

// injector is asked before the webhook, and again after what that has changed: first it sets a label, then it adds
// a container, which nobody has completed.
const injector = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: cp-answers-injector}
spec:
  reinvocationPolicy: IfNeeded
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: cp-answers}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  matchConditions:
  - name: not-injected
    expression: 'object.spec.containers.all(c, c.name != "injected")'
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        has(object.spec.containers[0].resources) && has(object.spec.containers[0].resources.requests) ?
        [JSONPatch{op: "add", path: "/spec/containers/-", value: Object.spec.containers{name: "injected", image: "registry.example.com/proxy:v1"}}] :
        [JSONPatch{op: "add", path: "/metadata/labels", value: {"seen": "first"}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: cp-answers-injector}
spec: {policyName: cp-answers-injector}
`

// TestControlPlaneAnswers: what the webhook leaves behind beside its verdict: completed Pods, Events of denials,
// warnings and audit annotations, and nothing after a dry run.
func TestControlPlaneAnswers(t *testing.T) {
	h := shared
	h.crds(t)
	h.process(t)
	h.open(t, completing)
	foreign := podOf("foreign", "containers: ["+badContainer+"]")

	t.Run("a dry run leaves no Event", func(t *testing.T) {
		cmd := h.command(t.Context(), "admin", h.cluster.Kubectl, "apply", "-n", answering, "--dry-run=server", "-f", "-")
		cmd.Stdin = strings.NewReader(strings.Replace(foreign, "name: foreign", "name: dry", 1))
		h.run(t, cmd).refusedBy(t, "registries")
	})
	t.Run("a denial leaves an Event about the object", func(t *testing.T) {
		h.apply(t, "admin", answering, foreign).refusedBy(t, "registries")
		eventually(t, "the Event", func() string {
			about := h.get(t, `{range .items[?(@.reason=="PolicyViolation")]}{.type} {.regarding.kind}/{.regarding.name} {.note}{"\n"}{end}`,
				"events.events.k8s.io", "-n", answering)
			if !strings.Contains(about, "Warning Pod/foreign ") || !strings.Contains(about, "registries") {
				return "the Events are: " + about
			}
			return ""
		})
		// The dry run came before, and its Event would be there by now.
		if about := h.get(t, "{.items[*].regarding.name}", "events.events.k8s.io", "-n", answering); strings.Contains(about, "dry") {
			t.Errorf("there are Events about %s, want none about the dry run", about)
		}
	})
	t.Run("warnings and audit annotations name the rule", h.warningsAndAnnotations)
	t.Run("a Pod is completed and valid", func(t *testing.T) {
		h.apply(t, "admin", answering, podOf("completed", "containers: ["+unbounded+"]")).want(t, 0)
		got := h.get(t, "{.spec.containers[0].resources.requests.cpu} {.spec.containers[0].resources.limits.memory} "+
			"{.spec.securityContext.runAsNonRoot} {.spec.containers[0].securityContext.capabilities.drop[0]}", "pod", "completed", "-n", answering)
		if want := "100m 128Mi true ALL"; got != want {
			t.Errorf("the Pod has %q, want %q", got, want)
		}
	})
	t.Run("a workload keeps the template of its author", func(t *testing.T) {
		h.apply(t, "admin", answering, deploymentOf("kept", 1, unbounded)).want(t, 0)
		if got := h.get(t, "{.spec.template.spec.containers[0].resources}", "deployment", "kept", "-n", answering); got != "{}" {
			t.Errorf("the template has resources %s, want none", got)
		}
		h.kubectl(t, "admin", "rollout", "status", "-n", answering, "deployment/kept", "--timeout=60s").want(t, 0)
	})
	t.Run("a container that is injected later is completed too", func(t *testing.T) {
		h.remove(t, "mutatingadmissionpolicybinding", "cp-answers-injector")
		h.remove(t, "mutatingadmissionpolicy", "cp-answers-injector")
		h.apply(t, "admin", "default", injector).want(t, 0)
		client := h.dynamic(t, "admin")
		pod := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "injected", "namespace": answering},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": goodImage}}},
		}}
		eventually(t, "a second container", func() string {
			a := create(t, client, core("pods"), pod, dryRun())
			if a.err != nil {
				return a.err.Error()
			}
			containers, _, _ := unstructured.NestedSlice(a.object.Object, "spec", "containers")
			if len(containers) != 2 {
				return fmt.Sprintf("there are %d containers", len(containers))
			}
			for _, container := range containers {
				limit, _, _ := unstructured.NestedString(container.(map[string]any), "resources", "limits", "memory")
				if limit != "128Mi" {
					t.Errorf("a container has the memory limit %q, want the default: %v", limit, container)
				}
			}
			return ""
		})
	})
}

func (h *harness) warningsAndAnnotations(t *testing.T) {
	before := h.auditLogSize(t)
	client := h.dynamic(t, "admin")
	pod := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "annotated", "namespace": answering},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": goodImage}}},
	}}
	a := create(t, client, core("pods"), pod, dryRun())
	if a.err != nil {
		t.Fatal(a.err)
	}
	told := false
	for _, text := range a.warnings {
		if len(text) > 256 {
			t.Errorf("a warning has %d bytes, want at most 256: %s", len(text), text)
		}
		told = told || strings.HasSuffix(text, "[labels]")
	}
	if !told {
		t.Errorf("the warnings are %q, want one of rule labels", a.warnings)
	}
	for _, event := range h.auditLog(t, answering, before) {
		if event.ObjectRef.Name != "annotated" {
			continue
		}
		prefix := answering + ".environments.rune.runeframeos.com/"
		if event.Annotations[prefix+"verdict"] != "warned" || event.Annotations[prefix+"rules"] != "labels" {
			t.Errorf("the audit annotations are %v, want the verdict warned for rule labels", event.Annotations)
		}
		return
	}
	t.Error("the audit log has no event of the request")
}
