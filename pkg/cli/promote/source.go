package promote

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/drive"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// lookups bounds how many namespaces are looked into at once.
const lookups = 8

// running is what runs, healthy, in the source environment.
type running struct {
	deployment *appsv1.Deployment
	// images by container, as repository@digest; init containers included.
	images map[string]string
	pods   int
}

func (r *running) names() []string {
	var names []string
	for name := range r.images {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// findSource looks for the deployment in the source environment and for the digests that it runs.
func (o *Options) findSource(ctx context.Context, source *v1alpha1.Environment) (*running, error) {
	deployment, err := o.findDeployment(ctx, source)
	if err != nil {
		return nil, err
	}
	releases, err := o.connection.Releases(ctx, deployment.Namespace, deployment.Name)
	if err != nil {
		return nil, err
	}
	if r := drive.Unfinished(releases); r != nil {
		return nil, fmt.Errorf("deployment %q is under release/%s in environment %q (namespace %s): promote what that ends with, see `kubectl rune status release/%s -n %s`",
			deployment.Name, r.Name, source.Name, r.Namespace, r.Name, r.Namespace)
	}
	if err := steady(deployment); err != nil {
		return nil, fmt.Errorf("deployment %q in environment %q (namespace %s): %w", deployment.Name, source.Name, deployment.Namespace, err)
	}
	pods, err := o.currentPods(ctx, deployment)
	if err != nil {
		return nil, err
	}
	images, err := digests(&deployment.Spec.Template, pods)
	if err != nil {
		return nil, fmt.Errorf("deployment %q in environment %q (namespace %s): %w", deployment.Name, source.Name, deployment.Namespace, err)
	}
	return &running{deployment: deployment, images: images, pods: len(pods)}, nil
}

// steady refuses to promote what is not known to be good.
func steady(deployment *appsv1.Deployment) error {
	if deployment.Spec.Paused {
		return errors.New("its rollouts are paused, so what runs may not be what it says")
	}
	if complete, why := release.Complete(deployment); !complete {
		return fmt.Errorf("its rollout is not complete: %s", why)
	}
	if release.Replicas(deployment) == 0 {
		return errors.New("it has 0 replicas, so nothing shows that it works")
	}
	return nil
}

func (o *Options) findDeployment(ctx context.Context, source *v1alpha1.Environment) (*appsv1.Deployment, error) {
	namespaces, err := o.connection.NamespacesOf(ctx, source)
	if err != nil {
		return nil, err
	}
	found := make([]*appsv1.Deployment, len(namespaces))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, namespace := range namespaces {
		group.Go(func() error {
			deployment, err := o.connection.Deployment(groupCtx, namespace, o.Workload)
			var missing *connect.Missing
			if errors.As(err, &missing) {
				return nil
			}
			found[i] = deployment
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var there []*appsv1.Deployment
	var where []string
	for _, deployment := range found {
		if deployment != nil {
			there = append(there, deployment)
			where = append(where, deployment.Namespace)
		}
	}
	switch len(there) {
	case 1:
		return there[0], nil
	case 0:
		return nil, fmt.Errorf("deployment %q does not exist in environment %q (namespaces %s)", o.Workload, source.Name, strings.Join(namespaces, ", "))
	default:
		return nil, fmt.Errorf("deployment %q exists in several namespaces of environment %q (%s), and which one is meant cannot be told", o.Workload, source.Name, strings.Join(where, ", "))
	}
}

// currentPods lists the pods of the ReplicaSet that has the deployment's template. Each must be ready.
func (o *Options) currentPods(ctx context.Context, deployment *appsv1.Deployment) ([]corev1.Pod, error) {
	sets, err := o.connection.ReplicaSets(ctx, deployment)
	if err != nil {
		return nil, err
	}
	current := release.WithTemplate(release.OwnedBy(sets, deployment.UID), &deployment.Spec.Template)
	if current == nil {
		return nil, fmt.Errorf("deployment %q (namespace %s) has no replica set with its template", deployment.Name, deployment.Namespace)
	}
	pods, err := o.connection.Pods(ctx, deployment)
	if err != nil {
		return nil, err
	}
	var own []corev1.Pod
	var unready []string
	for i := range pods {
		pod := &pods[i]
		if owner := metav1.GetControllerOf(pod); owner == nil || owner.UID != current.UID || pod.DeletionTimestamp != nil {
			continue
		}
		own = append(own, *pod)
		if !ready(pod) {
			unready = append(unready, pod.Name)
		}
	}
	if len(unready) > 0 {
		return nil, fmt.Errorf("not all pods of deployment %q (namespace %s) are ready: %s", deployment.Name, deployment.Namespace, strings.Join(unready, ", "))
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("deployment %q (namespace %s) runs no pod with its template", deployment.Name, deployment.Namespace)
	}
	return own, nil
}

func ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// digests tells, for every container of a template, the one digest that all pods run.
func digests(template *corev1.PodTemplateSpec, pods []corev1.Pod) (map[string]string, error) {
	images := map[string]string{}
	var problems []string
	for _, container := range containers(template) {
		ref, err := image.Parse(container.Image)
		if err != nil {
			problems = append(problems, fmt.Sprintf("container %q: %s", container.Name, err))
			continue
		}
		digest, err := agreed(container.Name, pods)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		images[container.Name] = ref.Name() + "@" + digest
	}
	if len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	return images, nil
}

func containers(template *corev1.PodTemplateSpec) []corev1.Container {
	all := append([]corev1.Container(nil), template.Spec.InitContainers...)
	return append(all, template.Spec.Containers...)
}

func agreed(container string, pods []corev1.Pod) (string, error) {
	found := map[string]bool{}
	var digest string
	for i := range pods {
		d, err := digestOf(container, &pods[i])
		if err != nil {
			return "", err
		}
		digest, found[d] = d, true
	}
	if len(found) > 1 {
		return "", fmt.Errorf("container %q: its pods run %d different digests; name the image by digest and roll it out first", container, len(found))
	}
	return digest, nil
}

// digestOf prefers the digest in the pod's spec, which admission verified and the node obeyed, and
// else takes the one that the node resolved the tag to.
func digestOf(container string, pod *corev1.Pod) (string, error) {
	specs := append(append([]corev1.Container(nil), pod.Spec.InitContainers...), pod.Spec.Containers...)
	for i := range specs {
		if specs[i].Name != container {
			continue
		}
		if ref, err := image.Parse(specs[i].Image); err == nil && ref.Digest != "" {
			return ref.Digest, nil
		}
	}
	statuses := append(append([]corev1.ContainerStatus(nil), pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for i := range statuses {
		if statuses[i].Name != container {
			continue
		}
		// A bare "sha256:…" is the identity of an image that was loaded by hand: no registry knows it.
		if _, digest, pulled := strings.Cut(statuses[i].ImageID, "@"); pulled && image.ValidDigest(digest) {
			return digest, nil
		}
		return "", fmt.Errorf("container %q: pod %s does not tell a registry's digest (it says %q)", container, pod.Name, statuses[i].ImageID)
	}
	return "", fmt.Errorf("container %q: pod %s does not run it", container, pod.Name)
}
