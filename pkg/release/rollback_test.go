package release_test

import (
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func podTemplate(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}},
	}
}

func revision(n int, image string) appsv1.ReplicaSet {
	t := podTemplate(image)
	t.Labels["pod-template-hash"] = image
	return appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web-" + image, Annotations: map[string]string{release.AnnotationRevision: strconv.Itoa(n)}},
		Spec:       appsv1.ReplicaSetSpec{Template: t},
	}
}

func past(name, image string, phase v1alpha1.Phase) v1alpha1.Release {
	r := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: name}}
	r.Spec.To, r.Status.Phase = podTemplate(image), phase
	return r
}

func TestRollbackTarget(t *testing.T) {
	sets := []appsv1.ReplicaSet{revision(1, "v1"), revision(2, "v2"), revision(10, "v3")}
	tests := map[string]struct {
		releases []v1alpha1.Release
		goal     release.Goal
		image    string
		release  string
		problem  string
	}{
		"the newest release that succeeded with another template": {
			releases: []v1alpha1.Release{past("web-9", "v1", "Succeeded"), past("web-10", "v2", "Succeeded"), past("web-11", "v3", "Succeeded"), past("web-12", "bad", "RolledBack")},
			image:    "v2", release: "web-10"},
		"without releases the revision before": {image: "v2"},
		"a revision that is named":             {goal: release.Goal{Revision: 1}, image: "v1"},
		"a revision that is gone":              {goal: release.Goal{Revision: 7}, problem: "no revision 7, only [1 2 10]"},
		"a release that is named":              {releases: []v1alpha1.Release{past("web-1", "v1", "Succeeded")}, goal: release.Goal{Release: "web-1"}, image: "v1", release: "web-1"},
		"a release that failed is no way back": {releases: []v1alpha1.Release{past("web-1", "v1", "RolledBack")}, goal: release.Goal{Release: "web-1"}, problem: "did not succeed"},
		"a release that does not exist":        {goal: release.Goal{Release: "web-5"}, problem: `no release "web-5"`},
		"both are given":                       {goal: release.Goal{Release: "web-5", Revision: 1}, problem: "both given"},
	}
	current := podTemplate("v3")
	now, err := release.TemplateOf(&current)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := release.RollbackTarget(now, "web", tt.releases, sets, tt.goal)
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("error %v, want %q", err, tt.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if image := got.Template.Typed.Spec.Containers[0].Image; image != tt.image || got.Release != tt.release {
				t.Errorf("target %s of release %q, want %s of %q", image, got.Release, tt.image, tt.release)
			}
			if got.Template.Typed.Labels["pod-template-hash"] != "" {
				t.Error("the ReplicaSet's own label is in the template")
			}
		})
	}
}

func TestRollbackTargetNeedsAnotherTemplate(t *testing.T) {
	current := podTemplate("v1")
	now, err := release.TemplateOf(&current)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.RollbackTarget(now, "web", nil, []appsv1.ReplicaSet{revision(1, "v1")}, release.Goal{}); err == nil {
		t.Error("no error although nothing else ever ran")
	}
}

func TestCanaryDeploymentHasExactlyTheNewTemplate(t *testing.T) {
	n := int32(4)
	stable := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"team": "a"}},
		Spec: appsv1.DeploymentSpec{Replicas: &n, Paused: true, MinReadySeconds: 5, Template: podTemplate("v1"),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
	}
	r := past("web-7", "v2", "")
	r.Namespace, r.UID = "shop", "u7"
	canary := release.CanaryDeployment(&r, stable)
	switch {
	case !release.SameTemplate(&canary.Spec.Template, &r.Spec.To):
		t.Error("the template is not the new one: the Deployment could not adopt its ReplicaSet")
	case *canary.Spec.Replicas != 0 || canary.Spec.Paused || canary.Spec.MinReadySeconds != 5 || *stable.Spec.Replicas != 4:
		t.Errorf("replicas %d, paused %t, minReadySeconds %d", *canary.Spec.Replicas, canary.Spec.Paused, canary.Spec.MinReadySeconds)
	case !release.Owns(&r, "Deployment", canary):
		t.Error("it does not belong to the release")
	case canary.OwnerReferences[0].Controller != nil:
		t.Error("the release must not be its controller")
	}
	other := past("web-7", "v2", "")
	other.UID = "another"
	if release.Owns(&other, "Deployment", canary) {
		t.Error("a later release of the same name owns it")
	}
}

func TestPreviewServiceSelectsOneReplicaSet(t *testing.T) {
	r := past("web-7", "v2", "")
	r.Spec.Delivery.SmokeTests = []v1alpha1.SmokeTest{{Name: "a", Path: "/"}, {Name: "b", Path: "/", Port: "http"}, {Name: "c", Path: "/", Port: "9090"}}
	s, err := release.PreviewService(&r, &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, "abc")
	if err != nil {
		t.Fatal(err)
	}
	if s.Spec.Selector["pod-template-hash"] != "abc" || s.Spec.Selector["app"] != "web" {
		t.Errorf("selector %v", s.Spec.Selector)
	}
	if len(s.Spec.Ports) != 2 || s.Spec.Ports[0].Port != 8080 || s.Spec.Ports[1].Port != 9090 {
		t.Errorf("ports %v", s.Spec.Ports)
	}
	r.Spec.Delivery.SmokeTests = []v1alpha1.SmokeTest{{Name: "a", Path: "/", Port: "grpc"}}
	if _, err := release.PreviewService(&r, &metav1.LabelSelector{}, "abc"); err == nil || !strings.Contains(err.Error(), `smokeTests[0] "a": no container declares a port named "grpc"`) {
		t.Errorf("error %v", err)
	}
}
