//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// The environments of the attempts, each a namespace of the same name, and the place that holds namespaces by label.
const (
	guarded  = "bypass-guarded"
	approved = "bypass-approved"
	selected = "bypass-selected"
	outside  = "bypass-outside"
)

// guardedEnvironment needs no registry and no signature.
func guardedEnvironment(name, where, more string) string {
	return fmt.Sprintf(`
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: %s}
spec:
  %s
  workloadKinds: [{group: corpus.example.com, kind: Fleet, resource: fleets, templatePath: spec.template}]
  rules:
    images: {pin: Never, registries: ["registry.example.com/*"]}
    podSecurity: {level: baseline}
    resources: {require: [limits.memory], max: {memory: 256Mi}}
%s
`, name, where, more)
}

// Parts of manifests. A container is good where it keeps all rules of guardedEnvironment.
const (
	goodImage     = "registry.example.com/web:v1"
	foreignImage  = "registry.example.net/web:v1"
	goodContainer = `{name: app, image: "` + goodImage + `", resources: {limits: {memory: 64Mi}}}`
	badContainer  = `{name: app, image: "` + foreignImage + `", resources: {limits: {memory: 64Mi}}}`
	// unbounded breaks the rule resources only.
	unbounded = `{name: app, image: "` + goodImage + `"}`
)

// podOf is a Pod in YAML's short form; metadata may add to its metadata.
func podOf(name, spec string, metadata ...string) string {
	return "{apiVersion: v1, kind: Pod, metadata: {" + strings.Join(append([]string{"name: " + name}, metadata...), ", ") + "}, spec: {" + spec + "}}"
}

// deploymentOf is a Deployment of one container in YAML's short form.
func deploymentOf(name string, replicas int, container string) string {
	return fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: %[1]s}, spec: {replicas: %[2]d, "+
		"selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [%[3]s]}}}}", name, replicas, container)
}

// refusedBy fails the test unless the API server refused, and named a rule.
func (r result) refusedBy(t *testing.T, rule string) {
	t.Helper()
	r.want(t, 1, "["+rule+"]")
}

// trudy may do what developers may in the namespaces of the attempts, namespaces included, and nothing to Rune.
func (h *harness) trudy(t *testing.T) {
	t.Helper()
	h.apply(t, "admin", "default", `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bypass-developer}
rules:
- {apiGroups: ["", apps, batch, autoscaling, corpus.example.com], resources: ["*"], verbs: ["*"]}
- {apiGroups: [rune.runeframeos.com], resources: [exemptions, releases], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bypass-exempter}
rules:
- {apiGroups: [rune.runeframeos.com], resources: [exemptions], verbs: ["*"]}
- {apiGroups: [rune.runeframeos.com], resources: [environments], verbs: [exempt]}
`).want(t, 0)
	h.user(t, "trudy", "bypass-developer")
	h.user(t, "erin", "bypass-exempter")
}

// TestControlPlaneBypass: attempts to get past the rules, by a user who may do everything but change Rune.
func TestControlPlaneBypass(t *testing.T) {
	h := shared
	h.crds(t)
	h.fleets(t)
	h.trudy(t)
	stop := h.process(t)
	t.Cleanup(func() {
		// Namespaces go only when nothing stays in them.
		for _, name := range []string{"terminating", "finalized"} {
			cmd := h.command(context.Background(), "admin", h.cluster.Kubectl, "patch", "pod", name, "-n", guarded, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
			_ = cmd.Run() // It is gone where the test came to its end.
		}
	})
	// What stood before the rules did, and what was written while nobody judged.
	h.namespaces(t, map[string]map[string]string{guarded: nil, approved: nil, outside: nil, selected: {"tier": "production"}})
	for _, namespace := range []string{guarded, approved} {
		h.apply(t, "admin", namespace, deploymentOf("before", 1, unbounded)).want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", namespace, "deployment/before", "--timeout=60s").want(t, 0)
	}
	h.apply(t, "trudy", guarded, exemption("handwritten", "handwritten", "1h", `, createdBy: {username: erin}, environment: `+guarded+`, seal: "v1:00"`)).want(t, 0)
	h.apply(t, "admin", guarded, podOf("terminating", "containers: ["+goodContainer+"]", "finalizers: [example.com/stay]")).want(t, 0)
	for name, manifest := range map[string]string{
		guarded:  guardedEnvironment(guarded, "namespaces: ["+guarded+"]", "    exemptions: {maxValidity: 24h}"),
		approved: guardedEnvironment(approved, "namespaces: ["+approved+"]", "    approval: {minApprovals: 1}"),
		selected: guardedEnvironment(selected, "namespaceSelector: {matchLabels: {tier: production}}", ""),
	} {
		h.remove(t, "environment", name)
		h.apply(t, "admin", "default", manifest).want(t, 0)
	}
	h.kubectl(t, "admin", "wait", "--for=condition=Enforced", "--timeout=90s",
		"environment/"+guarded, "environment/"+approved, "environment/"+selected).want(t, 0)

	t.Run("a forged annotation", h.forgedAnnotation)
	t.Run("a forged owner reference", h.forgedOwner)
	t.Run("scaling down with another image", h.scaleDownWithImage)
	t.Run("an ephemeral container", h.ephemeralContainer)
	t.Run("an image volume", h.imageVolume)
	t.Run("a resize beyond the maximum", h.resizeBeyond)
	t.Run("another spelling of a registry", h.registrySpellings)
	t.Run("a Pod that is being deleted", h.terminatingPod)
	t.Run("an Exemption that is none", h.exemptions)
	t.Run("a namespace relabelled out of its environment", h.relabelledNamespace)
	t.Run("a native sidecar", h.nativeSidecar)
	t.Run("a workload of a declared kind", h.declaredKind)
	t.Run("a forged mirror Pod", h.mirrorPod)
	t.Run("hostile JSON", h.hostileJSON)
	t.Run("what changes nothing judged is free", h.unjudgedIsFree)
	t.Run("while the webhook is stopped", func(t *testing.T) { h.whileStopped(t, stop) })
}

func (h *harness) forgedAnnotation(t *testing.T) {
	forged := `annotations: {rune.runeframeos.com/verified: "true", rune.runeframeos.com/exempt: "*", rune.runeframeos.com/release: web-1, ` +
		`admission.rune.runeframeos.com/ignore: "true"}, labels: {rune.runeframeos.com/release: web-1}`
	h.apply(t, "trudy", guarded, podOf("forged", "containers: ["+badContainer+"]", forged)).refusedBy(t, "registries")
	h.apply(t, "trudy", approved, podOf("forged", "containers: ["+goodContainer+"]", forged)).refusedBy(t, "approval")
}

// forgedOwner: a person's Pod that names a ReplicaSet as its controller, with that one's own template, is judged like
// any other. The ReplicaSet's controller itself may replace its Pod.
func (h *harness) forgedOwner(t *testing.T) {
	name := h.get(t, "{.items[0].metadata.name}", "replicasets", "-n", approved, "-l", "app=before")
	uid := h.get(t, "{.metadata.uid}", "replicaset", name, "-n", approved)
	hash := h.get(t, "{.metadata.labels.pod-template-hash}", "replicaset", name, "-n", approved)
	owner := fmt.Sprintf("ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: %s, uid: %s, controller: true, blockOwnerDeletion: true}], "+
		"labels: {app: before, pod-template-hash: %q}", name, uid, hash)
	for what, container := range map[string]string{"template of the owner": unbounded, "bounded": goodContainer} {
		got := h.apply(t, "trudy", approved, podOf("forged", "containers: ["+container+"]", owner))
		if got.code == 0 || !strings.Contains(got.stderr, "[approval]") {
			t.Errorf("with the %s:\n%s", what, got)
		}
	}
}

func (h *harness) scaleDownWithImage(t *testing.T) {
	h.apply(t, "trudy", guarded, deploymentOf("shrinking", 2, goodContainer)).want(t, 0)
	h.apply(t, "trudy", guarded, deploymentOf("shrinking", 1, badContainer)).refusedBy(t, "registries")
	h.apply(t, "trudy", guarded, deploymentOf("shrinking", 0, badContainer)).refusedBy(t, "registries")
	h.apply(t, "trudy", guarded, deploymentOf("shrinking", 1, goodContainer)).want(t, 0)
}

// patchPod patches a subresource of a Pod.
func (h *harness) patchPod(t *testing.T, user, name, subresource, patch string) result {
	t.Helper()
	return h.kubectl(t, user, "patch", "pod", name, "-n", guarded, "--subresource", subresource, "--type", "strategic", "-p", patch)
}

func (h *harness) ephemeralContainer(t *testing.T) {
	h.apply(t, "trudy", guarded, podOf("debugged", "containers: ["+goodContainer+"]")).want(t, 0)
	patch := func(container string) string { return `{"spec":{"ephemeralContainers":[` + container + `]}}` }
	h.patchPod(t, "trudy", "debugged", "ephemeralcontainers", patch(`{"name":"debug","image":"`+foreignImage+`"}`)).refusedBy(t, "registries")
	h.patchPod(t, "trudy", "debugged", "ephemeralcontainers",
		patch(`{"name":"debug","image":"`+goodImage+`","securityContext":{"privileged":true}}`)).refusedBy(t, "podSecurity")
	h.patchPod(t, "trudy", "debugged", "ephemeralcontainers", patch(`{"name":"debug","image":"`+goodImage+`"}`)).want(t, 0)
}

func (h *harness) imageVolume(t *testing.T) {
	volumes := func(image string) string {
		return "containers: [" + goodContainer + `], volumes: [{name: data, image: {reference: "` + image + `"}}]`
	}
	h.apply(t, "trudy", guarded, podOf("with-volume", volumes(foreignImage))).refusedBy(t, "registries")
	h.apply(t, "trudy", guarded, podOf("with-volume", volumes(goodImage))).want(t, 0)
}

// resizeBeyond asks for a Pod that no node has: one that runs without a kubelet cannot be resized.
func (h *harness) resizeBeyond(t *testing.T) {
	h.apply(t, "trudy", guarded, podOf("resized", "nodeSelector: {none: such}, containers: ["+goodContainer+"]")).want(t, 0)
	patch := func(memory string) string {
		return `{"spec":{"containers":[{"name":"app","resources":{"requests":{"memory":"64Mi"},"limits":{"memory":"` + memory + `"}}}]}}`
	}
	h.patchPod(t, "trudy", "resized", "resize", patch("1Gi")).refusedBy(t, "resources")
	h.patchPod(t, "trudy", "resized", "resize", patch("128Mi")).want(t, 0)
}

func (h *harness) registrySpellings(t *testing.T) {
	for _, image := range []string{
		"REGISTRY.example.com.evil.org/web:v1", "registry.example.com.evil.org/web:v1", "registry.example.com:5000/web:v1",
		"evil.org/registry.example.com/web:v1", "docker.io/registry.example.com/web:v1", "index.docker.io/library/web:v1",
		"web:v1", "library/web", "registry.example.com./web:v1", "registry.example.com/../evil/web:v1", "registry.example.com//web:v1",
		"registry.example.com/web:v1@evil.org/web", "xregistry.example.com/web:v1", "registryXexample.com/web:v1",
	} {
		spec := fmt.Sprintf("containers: [{name: app, image: %q, resources: {limits: {memory: 64Mi}}}]", image)
		if got := h.apply(t, "trudy", guarded, podOf("spelled", spec)); got.code == 0 || !strings.Contains(got.stderr, "[registries]") {
			t.Errorf("image %s:\n%s", image, got)
		}
	}
	spec := `containers: [{name: app, image: "REGISTRY.example.COM/web:v1", resources: {limits: {memory: 64Mi}}}]`
	h.apply(t, "trudy", guarded, podOf("spelled", spec)).want(t, 0)
}

// terminatingPod: a finalizer keeps a Pod, which runs on, beyond its deletion.
func (h *harness) terminatingPod(t *testing.T) {
	h.kubectl(t, "trudy", "delete", "pod", "terminating", "-n", guarded, "--wait=false").want(t, 0)
	if when := h.get(t, "{.metadata.deletionTimestamp}", "pod", "terminating", "-n", guarded); when == "" {
		t.Fatal("the Pod has no deletionTimestamp")
	}
	h.patchPod(t, "trudy", "terminating", "ephemeralcontainers",
		`{"spec":{"ephemeralContainers":[{"name":"debug","image":"`+foreignImage+`"}]}}`).refusedBy(t, "registries")
	h.kubectl(t, "trudy", "patch", "pod", "terminating", "-n", guarded, "-p",
		`{"spec":{"containers":[{"name":"app","image":"`+foreignImage+`"}]}}`).refusedBy(t, "registries")
	h.kubectl(t, "trudy", "patch", "pod", "terminating", "-n", guarded, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`).want(t, 0)
	eventually(t, "the Pod to go", func() string {
		return h.get(t, "{.items[*].metadata.name}", "pods", "-n", guarded, "--field-selector=metadata.name=terminating")
	})
}

func (h *harness) nativeSidecar(t *testing.T) {
	for what, container := range map[string]string{
		"init container": `{name: setup, image: "` + foreignImage + `", resources: {limits: {memory: 64Mi}}}`,
		"native sidecar": `{name: proxy, image: "` + foreignImage + `", restartPolicy: Always, resources: {limits: {memory: 64Mi}}}`,
	} {
		got := h.apply(t, "trudy", guarded, podOf("accompanied", "containers: ["+goodContainer+"], initContainers: ["+container+"]"))
		if got.code == 0 || !strings.Contains(got.stderr, "[registries]") {
			t.Errorf("with a foreign %s:\n%s", what, got)
		}
	}
}

func (h *harness) declaredKind(t *testing.T) {
	fleet := func(container string) string {
		return "{apiVersion: corpus.example.com/v1, kind: Fleet, metadata: {name: fleet}, spec: {template: {spec: {containers: [" + container + "]}}}}"
	}
	h.apply(t, "trudy", guarded, fleet(badContainer)).refusedBy(t, "registries")
	h.apply(t, "trudy", guarded, fleet(goodContainer)).want(t, 0)
	h.apply(t, "trudy", guarded, fleet(badContainer)).refusedBy(t, "registries")
}

func (h *harness) mirrorPod(t *testing.T) {
	h.apply(t, "trudy", guarded, podOf("mirror", "nodeName: nowhere, containers: ["+badContainer+"]",
		`annotations: {kubernetes.io/config.mirror: abc, kubernetes.io/config.source: file}`)).refusedBy(t, "registries")
}

// hostileJSON: bodies that two parsers could read differently. What is stored is what was judged.
func (h *harness) hostileJSON(t *testing.T) {
	client := h.raw(t, "trudy")
	good := `[{"name":"app","image":"` + goodImage + `","resources":{"limits":{"memory":"64Mi"}}}]`
	bad := strings.Replace(good, goodImage, foreignImage, 1)
	tests := map[string]struct {
		spec    string
		refused bool
	}{
		"the last of two keys is foreign":           {`"containers":` + good + `,"containers":` + bad, true},
		"the last of two keys is good":              {`"containers":` + bad + `,"containers":` + good, false},
		"a foreign key in another case comes last":  {`"containers":` + good + `,"Containers":` + bad, false},
		"a foreign key in another case comes first": {`"CONTAINERS":` + bad + `,"containers":` + good, false},
		"two specs":                    {`"containers":` + good + `},"spec":{"containers":` + bad, true},
		"an escaped key":               {`"containers":` + good + `,"\u0063ontainers":` + bad, true},
		"an image with an escaped dot": {strings.Replace(`"containers":`+bad, "example.net", `example\u002enet`, 1), true},
	}
	for name, tt := range tests {
		body := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"hostile"},"spec":{` + tt.spec + `}}`
		raw, err := client.Post().AbsPath("/api/v1/namespaces/"+guarded+"/pods").Param("dryRun", "All").
			SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(t.Context()).Raw()
		if tt.refused {
			if err == nil || !strings.Contains(string(raw)+err.Error(), "[registries]") {
				t.Errorf("%s: got %v\n%s", name, err, raw)
			}
			continue
		}
		var stored unstructured.Unstructured
		if err != nil || json.Unmarshal(raw, &stored.Object) != nil || strings.Contains(string(raw), foreignImage) {
			t.Errorf("%s: it was to be stored without the foreign image: %v\n%s", name, err, raw)
		}
	}
}

// raw is a client that sends bodies as they are.
func (h *harness) raw(t *testing.T, user string) *rest.RESTClient {
	t.Helper()
	config := h.config(t, user)
	version := core("").GroupVersion()
	config.GroupVersion, config.NegotiatedSerializer = &version, unstructuredSerializer()
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
