package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Owner returns the reference by which an object belongs to a Release without being controlled by it:
// should the Release be deleted, the object goes with it.
func Owner(r *v1alpha1.Release) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindRelease, Name: r.Name, UID: r.UID,
	}
}

// Owns tells whether an object belongs to a Release: its UID is in the journal, or it carries the
// Release's owner reference.
func Owns(r *v1alpha1.Release, kind string, object metav1.Object) bool {
	if o := Object(r, kind, object.GetName()); o != nil {
		return o.UID == object.GetUID()
	}
	for _, ref := range object.GetOwnerReferences() {
		if ref.Kind == v1alpha1.KindRelease && ref.UID == r.UID && r.UID != "" {
			return true
		}
	}
	return false
}

// CanaryDeployment returns the second Deployment of a canary without pods: the stable one's selector
// and settings with exactly the new template. Everything that is ours stands on the Deployment, never
// in the template: one label more and the stable Deployment could not adopt its ReplicaSet.
func CanaryDeployment(r *v1alpha1.Release, stable *appsv1.Deployment) *appsv1.Deployment {
	canary := &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       r.Namespace,
			Name:            r.Name,
			Labels:          map[string]string{v1alpha1.LabelRelease: r.Name},
			Annotations:     map[string]string{v1alpha1.AnnotationRelease: r.Name},
			OwnerReferences: []metav1.OwnerReference{Owner(r)},
		},
		Spec: *stable.Spec.DeepCopy(),
	}
	none := int32(0)
	canary.Spec.Replicas = &none
	canary.Spec.Paused = false
	r.Spec.To.DeepCopyInto(&canary.Spec.Template)
	return canary
}

// PreviewPorts returns the ports that the smoke tests need, one per test: the container port's number
// and what the Service targets.
func PreviewPorts(tests []v1alpha1.SmokeTest, template *corev1.PodTemplateSpec) ([]int32, error) {
	ports := make([]int32, 0, len(tests))
	for i, t := range tests {
		port, err := containerPort(t.Port, template)
		if err != nil {
			return nil, fmt.Errorf("spec.delivery.smokeTests[%d] %q: %w", i, t.Name, err)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

func containerPort(wanted string, template *corev1.PodTemplateSpec) (int32, error) {
	if n, err := strconv.ParseInt(wanted, 10, 32); err == nil {
		if n < 1 || n > 65535 {
			return 0, fmt.Errorf("port %q is not between 1 and 65535", wanted)
		}
		return int32(n), nil
	}
	for _, c := range template.Spec.Containers {
		for _, p := range c.Ports {
			if wanted == "" || p.Name == wanted {
				return p.ContainerPort, nil
			}
		}
	}
	if wanted == "" {
		return 0, fmt.Errorf("no container declares a port: set port")
	}
	return 0, fmt.Errorf("no container declares a port named %q", wanted)
}

// PreviewService returns the temporary Service that selects only the pods of one ReplicaSet, for
// smoke tests through the API server's service proxy.
func PreviewService(r *v1alpha1.Release, selector *metav1.LabelSelector, podHash string) (*corev1.Service, error) {
	ports, err := PreviewPorts(r.Spec.Delivery.SmokeTests, &r.Spec.To)
	if err != nil {
		return nil, err
	}
	labels := maps.Clone(selector.MatchLabels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[appsv1.DefaultDeploymentUniqueLabelKey] = podHash
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       r.Namespace,
			Name:            r.Name,
			Labels:          map[string]string{v1alpha1.LabelRelease: r.Name},
			OwnerReferences: []metav1.OwnerReference{Owner(r)},
		},
		Spec: corev1.ServiceSpec{Selector: labels},
	}
	seen := map[int32]bool{}
	for _, port := range ports {
		if seen[port] {
			continue
		}
		seen[port] = true
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("p-%d", port), Port: port, TargetPort: intstr.FromInt32(port),
		})
	}
	return service, nil
}

// TrialPod returns a Pod made of a template, for a dry run that lets admission judge what it will
// inject and refuse, before anything changes.
func TrialPod(namespace, name string, template *corev1.PodTemplateSpec) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: *template.ObjectMeta.DeepCopy(),
		Spec:       *template.Spec.DeepCopy(),
	}
	pod.Namespace, pod.Name, pod.GenerateName = namespace, name, ""
	return pod
}

// WorkloadFrom reads the Deployment that a release creates from its manifest and makes it the
// release's: it points to the Release, and belongs to it until its UID is in the journal.
func WorkloadFrom(r *v1alpha1.Release) (*appsv1.Deployment, error) {
	if r.Spec.Manifest == nil || len(r.Spec.Manifest.Raw) == 0 {
		return nil, fmt.Errorf("reading release %q: spec.manifest is missing", r.Name)
	}
	workload := &appsv1.Deployment{}
	if err := json.Unmarshal(r.Spec.Manifest.Raw, workload); err != nil {
		return nil, fmt.Errorf("reading spec.manifest of release %q: %w", r.Name, err)
	}
	if workload.Name != r.Spec.Workload.Name || (workload.Kind != "" && workload.Kind != r.Spec.Workload.Kind) {
		return nil, fmt.Errorf("reading spec.manifest of release %q: it is %s %q, wanted %s %q",
			r.Name, workload.Kind, workload.Name, r.Spec.Workload.Kind, r.Spec.Workload.Name)
	}
	workload.TypeMeta = metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}
	workload.Namespace = r.Namespace
	workload.UID, workload.ResourceVersion, workload.ManagedFields = "", "", nil
	workload.Status = appsv1.DeploymentStatus{}
	if workload.Annotations == nil {
		workload.Annotations = map[string]string{}
	}
	workload.Annotations[v1alpha1.AnnotationRelease] = r.Name
	workload.OwnerReferences = append(workload.OwnerReferences, Owner(r))
	r.Spec.To.DeepCopyInto(&workload.Spec.Template)
	return workload, nil
}
