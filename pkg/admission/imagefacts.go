package admission

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// imageFacts inspects the images of a candidate that its rules ask about, each reference once.
func (j *Judge) imageFacts(ctx context.Context, c *candidate) (map[string]policy.ImageFact, error) {
	slots := c.subject.UnsettledImages()
	signatures := c.environment.Spec.Rules.Signatures != nil
	if len(slots) == 0 || (!signatures && !pins(c.environment, c.subject.IsPod())) {
		return nil, nil
	}
	in := Inspection{
		Environment: c.environment.Name, References: distinct(slots), Signatures: signatures, Access: c.access(),
	}
	if signatures {
		var err error
		if in.Policies, err = j.Policies.ImagePolicies(ctx, c.environment.Name); err != nil {
			return nil, fmt.Errorf("reading the ImagePolicies of Environment %q: %w", c.environment.Name, err)
		}
	}
	return j.inspector.Facts(ctx, in)
}

// access names the credentials with which the kubelet will pull the candidate's images.
func (c *candidate) access() image.Access { return AccessOf(c.request.Namespace, &c.subject.Spec) }

// AccessOf names the credentials with which the kubelet pulls the images of a pod in a namespace.
func AccessOf(namespace string, spec *corev1.PodSpec) image.Access {
	access := image.Access{Namespace: namespace, ServiceAccount: spec.ServiceAccountName}
	for _, secret := range spec.ImagePullSecrets {
		access.PullSecrets = append(access.PullSecrets, secret.Name)
	}
	return access
}

// pins tells whether tags are replaced by digests in Pods, or else in the pod templates of workloads.
func pins(environment *v1alpha1.Environment, pod bool) bool {
	switch policy.EffectivePin(environment.Spec.Rules) {
	case v1alpha1.PinWorkloads:
		return true
	case v1alpha1.PinPods:
		return pod
	}
	return false
}

func distinct(slots []policy.ImageSlot) []string {
	var references []string
	seen := map[string]bool{}
	for _, slot := range slots {
		if !seen[slot.Image] {
			seen[slot.Image] = true
			references = append(references, slot.Image)
		}
	}
	return references
}
