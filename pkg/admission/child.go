package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// The identities of kube-controller-manager's controllers: one service account each with
// --use-service-account-credentials, else its own user.
const (
	controllerGroup   = "system:serviceaccounts:kube-system"
	controllerPrefix  = serviceAccountPrefix + "kube-system:"
	controllerManager = "system:kube-controller-manager"
)

// parent is a kind whose controller makes objects of another kind, and the controller's service account.
type parent struct {
	kind       schema.GroupVersionKind
	controller string
}

// parentsOf returns who may make objects of a kind on behalf of an owner that was judged before.
func parentsOf(kind schema.GroupKind) []parent {
	batch := func(kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: kind}
	}
	switch kind {
	case schema.GroupKind{Kind: "Pod"}:
		return []parent{
			{appsKind("ReplicaSet"), "replicaset-controller"},
			{appsKind("StatefulSet"), "statefulset-controller"},
			{appsKind("DaemonSet"), "daemon-set-controller"},
			{batch("Job"), "job-controller"},
			{schema.GroupVersionKind{Version: "v1", Kind: "ReplicationController"}, "replication-controller"},
		}
	case schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}:
		return []parent{{appsKind("Deployment"), "deployment-controller"}}
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		return []parent{{batch("CronJob"), "cronjob-controller"}}
	}
	return nil
}

// childExemption lets pass what a built-in controller makes of an owner that was judged when it
// entered. Both are needed: the controller's identity, which nobody can claim, and a live owner whose
// template the child has. A problem says why an object of such a controller is no such child.
func (j *Judge) childExemption(ctx context.Context, c *candidate, object *metav1.ObjectMeta) (exempt, problem string, err error) {
	if c.request.Operation != admissionv1.Create {
		return "", "", nil
	}
	owner := metav1.GetControllerOfNoCopy(object)
	if owner == nil {
		return "", "", nil
	}
	from, found := parentFor(c, owner)
	if !found {
		return "", "", nil
	}
	live, err := j.Objects.Get(ctx, from.kind, c.request.Namespace, owner.Name)
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Sprintf("its owner %s %q does not exist", owner.Kind, owner.Name), nil
	case err != nil:
		return "", "", fmt.Errorf("reading the owner %s %q: %w", owner.Kind, owner.Name, err)
	case live.GetUID() != owner.UID:
		return "", fmt.Sprintf("its owner %s %q has UID %q, not %q", owner.Kind, owner.Name, live.GetUID(), owner.UID), nil
	}
	matches, err := j.matchesOwner(ctx, c, live, from.kind)
	if err != nil {
		return "", "", err
	}
	if !matches {
		return "", fmt.Sprintf("it does not match the pod template of its owner %s %q", owner.Kind, owner.Name), nil
	}
	return fmt.Sprintf("made by the controller of %s %q", owner.Kind, owner.Name), "", nil
}

// parentFor returns the kind of owner that the requesting controller makes such objects for.
func parentFor(c *candidate, owner *metav1.OwnerReference) (parent, bool) {
	for _, p := range parentsOf(c.subject.Kind) {
		group := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
		if p.kind.GroupKind() == group && isController(c.request.UserInfo, p.controller) {
			return p, true
		}
	}
	return parent{}, false
}

// isController tells whether a user is one built-in controller. The group is asked too, because the
// API server gives it to service accounts only.
func isController(user authenticationv1.UserInfo, controller string) bool {
	if user.Username == controllerManager {
		return true
	}
	return user.Username == controllerPrefix+controller && slices.Contains(user.Groups, controllerGroup)
}

// matchesOwner compares a child with the template that its owner has now, or, for a Pod of a
// StatefulSet, that of the revision it is made from.
func (j *Judge) matchesOwner(ctx context.Context, c *candidate, owner *unstructured.Unstructured, kind schema.GroupVersionKind) (bool, error) {
	template, err := liveTemplate(owner, kind)
	if err != nil {
		return false, err
	}
	if !c.subject.IsPod() {
		have, err := childHash(c.subject)
		if err != nil {
			return false, err
		}
		want, err := templatehash.OfJSON(template)
		if err != nil {
			return false, fmt.Errorf("reading the owner %s %q: %w", kind.Kind, owner.GetName(), err)
		}
		return have == want, nil
	}
	claimed, err := claimedVolumes(owner)
	if err != nil {
		return false, err
	}
	matches, err := podMatches(c.subject, template, claimed)
	if err != nil || matches || kind != appsKind("StatefulSet") {
		return matches, err
	}
	template, err = j.revisionTemplate(ctx, c, owner)
	if err != nil || template == nil {
		return false, err
	}
	return podMatches(c.subject, template, claimed)
}

// childHash is the hash of a child's template without what the API server adds to it.
func childHash(child *policy.Subject) (string, error) {
	if child.Kind != (schema.GroupKind{Group: "batch", Kind: "Job"}) {
		return templatehash.OfJSON(child.Template)
	}
	// The strategy of Jobs labels the template with the Job's name and UID before validation
	// (k8s.io/kubernetes/pkg/registry/batch/job, generateSelector).
	template := map[string]any{}
	if err := decodeExact(child.Template, &template); err != nil {
		return "", fmt.Errorf("reading the pod template of %s: %w", child, err)
	}
	for _, label := range []string{"controller-uid", "job-name", batchv1.ControllerUidLabel, batchv1.JobNameLabel} {
		unstructured.RemoveNestedField(template, "metadata", "labels", label)
	}
	if labels, found, err := unstructured.NestedMap(template, "metadata", "labels"); err == nil && found && len(labels) == 0 {
		unstructured.RemoveNestedField(template, "metadata", "labels")
	}
	if metadata, ok := template["metadata"].(map[string]any); ok && len(metadata) == 0 {
		delete(template, "metadata")
	}
	raw, err := json.Marshal(template)
	if err != nil {
		return "", fmt.Errorf("reading the pod template of %s: %w", child, err)
	}
	return templatehash.OfJSON(raw)
}

// liveTemplate returns the pod template of a live object: for a CronJob that of the Jobs it makes.
func liveTemplate(object *unstructured.Unstructured, kind schema.GroupVersionKind) (json.RawMessage, error) {
	raw, err := object.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("reading %s %q: %w", kind.Kind, object.GetName(), err)
	}
	subject, err := policy.NewSubject(kind.GroupKind(), raw)
	if err != nil {
		return nil, err
	}
	return subject.Template, nil
}

// revisionTemplate returns the template that a StatefulSet's Pod is made from while an update is on
// its way: Pods that the update has not reached yet are made again from the former revision. It is
// nil where the StatefulSet owns no revision of that name.
func (j *Judge) revisionTemplate(ctx context.Context, c *candidate, owner *unstructured.Unstructured) (json.RawMessage, error) {
	name := c.subject.Metadata.Labels["controller-revision-hash"]
	if name == "" {
		return nil, nil
	}
	revision, err := j.Objects.Get(ctx, appsKind("ControllerRevision"), c.request.Namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ControllerRevision %q: %w", name, err)
	}
	if by := metav1.GetControllerOf(revision); by == nil || by.UID != owner.GetUID() {
		return nil, nil
	}
	template, found, err := unstructured.NestedMap(revision.Object, "data", "spec", "template")
	if err != nil || !found {
		return nil, err
	}
	// The revision is a strategic merge patch that replaces the template.
	delete(template, "$patch")
	raw, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("reading ControllerRevision %q: %w", name, err)
	}
	return raw, nil
}
