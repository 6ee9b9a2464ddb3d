package promote

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
)

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func template(image string, extra ...string) corev1.PodTemplateSpec {
	result := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}},
	}
	for _, name := range extra {
		result.Spec.Containers = append(result.Spec.Containers, corev1.Container{Name: name, Image: "x:1"})
	}
	return result
}

// pod runs one container; spec is the image in its spec, status what its node resolved.
func pod(name, spec, status string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "staging", Labels: map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", UID: "rs", Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: spec}}},
		Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", ImageID: status}},
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

func TestDigests(t *testing.T) {
	tests := map[string]struct {
		image string
		pods  []corev1.Pod
		want  string
		err   string
	}{
		"the digest in the pods' spec, which admission verified": {
			image: "r.example.com:5000/web:v1",
			pods:  []corev1.Pod{pod("a", "r.example.com:5000/web@"+digest("a"), "r.example.com:5000/web@"+digest("b"))},
			want:  "r.example.com:5000/web@" + digest("a"),
		},
		"the digest that the node resolved the tag to": {
			image: "r.example.com:5000/web:v1",
			pods:  []corev1.Pod{pod("a", "r.example.com:5000/web:v1", "r.example.com:5000/web@"+digest("b"))},
			want:  "r.example.com:5000/web@" + digest("b"),
		},
		"the runtime's prefix does not matter": {
			image: "web:v1", pods: []corev1.Pod{pod("a", "web:v1", "docker-pullable://web@"+digest("c"))},
			want: "docker.io/library/web@" + digest("c"),
		},
		"pods that disagree": {
			image: "web:v1", pods: []corev1.Pod{pod("a", "web:v1", "web@"+digest("a")), pod("b", "web:v1", "web@"+digest("b"))},
			err: `container "web": its pods run 2 different digests`,
		},
		"an image that no registry knows": {
			image: "web:v1", pods: []corev1.Pod{pod("a", "web:v1", digest("a"))}, err: "pod a does not tell a registry's digest",
		},
		"a container that a pod does not run": {
			image: "web:v1", pods: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}, err: "pod a does not run it",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			source := template(test.image)
			got, err := digests(&source, test.pods)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, %v, want an error with %q", got, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]string{"web": test.want}, got); diff != "" {
				t.Errorf("the images differ (-want +got):\n%s", diff)
			}
		})
	}
}

func deployment(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "staging", UID: "d1", ResourceVersion: "17", Generation: 3, Labels: map[string]string{"app": "web"},
			Annotations: map[string]string{
				"deployment.kubernetes.io/revision": "4", "rune.runeframeos.com/release": "web-2",
				"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "shop",
			},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Release", Name: "web-1"}},
			ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Template: template("web:v1"),
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2},
	}
	for _, f := range change {
		f(d)
	}
	return d
}

func TestManifestIsCleanedAndSized(t *testing.T) {
	source := &running{deployment: deployment(), images: map[string]string{"web": "docker.io/library/web@" + digest("a")}}
	source.deployment.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "now", "prometheus.io/scrape": "true"}
	settings := &v1alpha1.WorkloadSettings{
		Replicas: ptr.To(int32(5)),
		Resources: &v1alpha1.ResourceSettings{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")},
		},
	}
	raw, err := manifest(source, settings, "production")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{
			"name": "web", "namespace": "production",
			"labels": map[string]any{"app": "web"}, "annotations": map[string]any{"team": "shop"},
		},
		"spec": map[string]any{
			"replicas": 5.0, "strategy": map[string]any{}, "selector": map[string]any{"matchLabels": map[string]any{"app": "web"}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": "web"}, "annotations": map[string]any{"prometheus.io/scrape": "true"}},
				"spec": map[string]any{"containers": []any{map[string]any{
					"name": "web", "image": "docker.io/library/web@" + digest("a"),
					"resources": map[string]any{"requests": map[string]any{"cpu": "500m"}},
				}}},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the manifest differs (-want +got):\n%s", diff)
	}
	if source.deployment.Spec.Template.Spec.Containers[0].Image != "web:v1" || *source.deployment.Spec.Replicas != 2 {
		t.Error("the source's own deployment was changed")
	}
}

func TestEditKeepsWhatTheEnvironmentDoesNotSay(t *testing.T) {
	target := template("web:v0")
	target.Spec.Containers[0].Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("1")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
	}
	edit(&target, map[string]string{"web": "web@" + digest("a")}, &v1alpha1.WorkloadSettings{Resources: &v1alpha1.ResourceSettings{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")},
	}})
	want := corev1.Container{Name: "web", Image: "web@" + digest("a"), Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("500m")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
	}}
	if diff := cmp.Diff(want, target.Spec.Containers[0]); diff != "" {
		t.Errorf("the container differs (-want +got):\n%s", diff)
	}
}

func TestSameContainers(t *testing.T) {
	source, target := template("web:v1", "proxy"), template("web:v1", "log")
	source.Spec.InitContainers = []corev1.Container{{Name: "migrate"}}
	err := sameContainers(&source, &target)
	want := `only the source has container "proxy", init container "migrate", only the target has container "log": bring the containers in line first`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := sameContainers(&source, &source); err != nil {
		t.Errorf("the same containers give %v", err)
	}
}

func TestTargetNamespace(t *testing.T) {
	tests := map[string]struct {
		namespaces []string
		connection connect.Connection
		want, err  string
	}{
		"the context's namespace, where the environment covers it": {
			namespaces: []string{"a", "b"}, connection: connect.Connection{Namespace: "b"}, want: "b",
		},
		"else the only one": {namespaces: []string{"a"}, connection: connect.Connection{Namespace: "staging"}, want: "a"},
		"one that was typed must be part of it": {
			namespaces: []string{"a"}, connection: connect.Connection{Namespace: "staging", NamespaceGiven: true},
			err: `environment "production" does not cover namespace "staging", only a`,
		},
		"of several one must be chosen": {
			namespaces: []string{"a", "b"}, connection: connect.Connection{Namespace: "staging"}, err: "choose one with --namespace (a, b)",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := &Options{connection: &test.connection}
			got, err := o.targetNamespace(t.Context(), &v1alpha1.Environment{
				ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Namespaces: test.namespaces},
			})
			if got != test.want || (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %q, %v, want %q and an error with %q", got, err, test.want, test.err)
			}
		})
	}
}

func TestFindDeployment(t *testing.T) {
	elsewhere := deployment(func(d *appsv1.Deployment) { d.Namespace = "staging-b" })
	environment := &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "staging"}, Spec: v1alpha1.EnvironmentSpec{Namespaces: []string{"staging", "staging-b"}},
	}
	tests := map[string]struct {
		there []*appsv1.Deployment
		want  string
		err   string
	}{
		"the one namespace that has it": {there: []*appsv1.Deployment{elsewhere}, want: "staging-b"},
		"none":                          {err: `deployment "web" does not exist in environment "staging" (namespaces staging, staging-b)`},
		"several":                       {there: []*appsv1.Deployment{deployment(), elsewhere}, err: "exists in several namespaces of environment \"staging\" (staging, staging-b)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			kube := fake.NewClientset()
			for _, d := range test.there {
				if err := kube.Tracker().Add(d.DeepCopy()); err != nil {
					t.Fatal(err)
				}
			}
			o := &Options{Workload: "web", connection: &connect.Connection{Kube: kube}}
			got, err := o.findDeployment(t.Context(), environment)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil || got.Namespace != test.want {
				t.Errorf("got %v, %v, want the one in %q", got, err, test.want)
			}
		})
	}
}

func TestOnlyHealthyPodsOfTheCurrentTemplateCount(t *testing.T) {
	current := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-1", Namespace: "staging", UID: "rs", Labels: map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", UID: "d1", Controller: ptr.To(true)}},
		},
		Spec: appsv1.ReplicaSetSpec{Template: template("web:v1")},
	}
	with := func(change func(*corev1.Pod)) *corev1.Pod {
		p := pod("b", "web:v1", "web@"+digest("a"))
		change(&p)
		return &p
	}
	tests := map[string]struct {
		second *corev1.Pod
		want   int
		err    string
	}{
		"all ready": {second: with(func(*corev1.Pod) {}), want: 2},
		"one of another revision does not count": {
			second: with(func(p *corev1.Pod) { p.OwnerReferences[0].UID = types.UID("old") }), want: 1,
		},
		"one that is going does not count": {
			second: with(func(p *corev1.Pod) {
				p.DeletionTimestamp, p.Finalizers = ptr.To(metav1.Now()), []string{"example.com/wait"}
			}), want: 1,
		},
		"one that is not ready stops the promotion": {
			second: with(func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }), err: "are ready: b",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			first := pod("a", "web:v1", "web@"+digest("a"))
			kube := fake.NewClientset(current.DeepCopy(), &first, test.second)
			o := &Options{Workload: "web", connection: &connect.Connection{Kube: kube}}
			got, err := o.currentPods(t.Context(), deployment())
			if (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) || len(got) != test.want {
				t.Errorf("got %d pods and %v, want %d and an error with %q", len(got), err, test.want, test.err)
			}
		})
	}
}

func TestSteady(t *testing.T) {
	tests := map[string]struct {
		change func(*appsv1.Deployment)
		err    string
	}{
		"a complete rollout":     {change: func(*appsv1.Deployment) {}},
		"a paused one":           {change: func(d *appsv1.Deployment) { d.Spec.Paused = true }, err: "paused"},
		"a rollout on its way":   {change: func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }, err: "1 of 2 pods have the new template"},
		"a spec not yet noticed": {change: func(d *appsv1.Deployment) { d.Generation = 4 }, err: "has not seen the newest spec"},
		"no pods at all": {change: func(d *appsv1.Deployment) {
			d.Spec.Replicas, d.Status = ptr.To(int32(0)), appsv1.DeploymentStatus{ObservedGeneration: 3}
		}, err: "0 replicas"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := steady(deployment(test.change))
			if (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want an error with %q", err, test.err)
			}
		})
	}
}

func ExampleOptions_sourceName() {
	target := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{PromotesFrom: "staging"}}
	fmt.Println((&Options{}).sourceName(target), (&Options{From: "hotfix"}).sourceName(target))
	// Output: staging hotfix
}
