package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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

// lineage is where an object comes from: the zero one is not made by a controller that the environment knows.
type lineage struct {
	// exempt says what proves that the object is a child of an owner that was judged when it entered.
	exempt string
	// problem says why an object of such a controller is no such child.
	problem string
	// owner of a proven child, live.
	owner     *unstructured.Unstructured
	ownerKind schema.GroupVersionKind
}

// lineage finds out once whether a candidate is what a controller makes of an owner that was judged when it
// entered. Both are needed: the controller's identity, which nobody can claim, and a live owner whose
// template the child has.
func (j *Judge) lineage(ctx context.Context, c *candidate) (lineage, error) {
	if c.origin == nil {
		found, err := j.findLineage(ctx, c)
		if err != nil {
			return lineage{}, err
		}
		c.origin = &found
	}
	return *c.origin, nil
}

func (j *Judge) findLineage(ctx context.Context, c *candidate) (lineage, error) {
	if c.request.Operation != admissionv1.Create {
		return lineage{}, nil
	}
	owner := metav1.GetControllerOfNoCopy(c.object)
	if owner == nil {
		return lineage{}, nil
	}
	from, found := makerOf(c, owner)
	if !found {
		return lineage{}, nil
	}
	live, problem, err := j.liveOwner(ctx, c.request.Namespace, from, owner)
	if err != nil || problem != "" {
		return lineage{problem: problem}, err
	}
	matches, err := j.matchesOwner(ctx, c, c.subject, live, from)
	if err != nil {
		return lineage{}, err
	}
	if !matches {
		return lineage{problem: fmt.Sprintf("it does not match the pod template of its owner %s %q", owner.Kind, owner.Name)}, nil
	}
	return lineage{exempt: fmt.Sprintf("made by the controller of %s %q", owner.Kind, owner.Name), owner: live, ownerKind: from}, nil
}

// liveOwner reads what an owner reference points to; the problem says why that is not what it names.
func (j *Judge) liveOwner(ctx context.Context, namespace string, kind schema.GroupVersionKind, owner *metav1.OwnerReference) (live *unstructured.Unstructured, problem string, err error) {
	live, err = j.Objects.Get(ctx, kind, namespace, owner.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Sprintf("its owner %s %q does not exist", owner.Kind, owner.Name), nil
	case err != nil:
		return nil, "", fmt.Errorf("reading the owner %s %q: %w", owner.Kind, owner.Name, err)
	case live.GetUID() != owner.UID:
		return nil, fmt.Sprintf("its owner %s %q has UID %q, not %q", owner.Kind, owner.Name, live.GetUID(), owner.UID), nil
	}
	return live, "", nil
}

// makerOf returns the kind of owner that the requesting user makes such objects for.
func makerOf(c *candidate, owner *metav1.OwnerReference) (schema.GroupVersionKind, bool) {
	of := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
	for _, p := range parentsOf(c.subject.Kind) {
		if p.kind.GroupKind() == of.GroupKind() && isController(c.request.UserInfo, p.controller) {
			return p.kind, true
		}
	}
	for _, declared := range c.environment.Spec.WorkloadKinds {
		if declared.Group != of.Group || declared.Kind != of.Kind {
			continue
		}
		if slices.ContainsFunc(declared.Controllers, func(account string) bool { return isServiceAccount(c.request.UserInfo, account) }) {
			return of, true
		}
	}
	return schema.GroupVersionKind{}, false
}

// isServiceAccount tells whether a user is the service account "namespace/name".
func isServiceAccount(user authenticationv1.UserInfo, account string) bool {
	namespace, name, _ := strings.Cut(account, "/")
	return user.Username == serviceAccountPrefix+namespace+":"+name && slices.Contains(user.Groups, "system:serviceaccounts:"+namespace)
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
// StatefulSet, that of the revision it is made from. The API server has defaulted the template of a built-in owner
// as it does the child's, so that of a workload must be the same; that of a declared kind may say less than its child.
func (j *Judge) matchesOwner(ctx context.Context, c *candidate, child *policy.Subject, owner *unstructured.Unstructured, kind schema.GroupVersionKind) (bool, error) {
	if path := declaredPath(c.environment, kind.GroupKind()); path != nil {
		if raw, err := owner.MarshalJSON(); err != nil || !hasTemplate(raw, path) {
			return false, err
		}
	}
	template, err := liveTemplate(c.ruleset, owner, kind)
	if err != nil {
		return false, err
	}
	declared := !policy.Covers(kind.GroupKind())
	if !child.IsPod() && !declared {
		have, err := childHash(child)
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
	matches, err := podMatches(child, template, claimed)
	if err != nil || matches || kind != appsKind("StatefulSet") {
		return matches, err
	}
	template, err = j.revisionTemplate(ctx, c, owner)
	if err != nil || template == nil {
		return false, err
	}
	return podMatches(child, template, claimed)
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

// reader reads subjects out of objects: a Ruleset knows the kinds that its Environment declares.
type reader interface {
	NewSubject(kind schema.GroupKind, object []byte) (*policy.Subject, error)
}

// liveTemplate returns the pod template of a live object: for a CronJob that of the Jobs it makes.
func liveTemplate(from reader, object *unstructured.Unstructured, kind schema.GroupVersionKind) (json.RawMessage, error) {
	subject, err := liveSubject(from, object, kind)
	if err != nil {
		return nil, err
	}
	return subject.Template, nil
}

func liveSubject(from reader, object *unstructured.Unstructured, kind schema.GroupVersionKind) (*policy.Subject, error) {
	raw, err := object.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("reading %s %q: %w", kind.Kind, object.GetName(), err)
	}
	return from.NewSubject(kind.GroupKind(), raw)
}

// builtIn reads the kinds that every environment judges.
type builtIn struct{}

// NewSubject implements reader.
func (builtIn) NewSubject(kind schema.GroupKind, object []byte) (*policy.Subject, error) {
	return policy.NewSubject(kind, object)
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
	return templateOfRevision(revision)
}

// templateOfRevision returns the pod template that a ControllerRevision holds; nil if none.
func templateOfRevision(revision *unstructured.Unstructured) (json.RawMessage, error) {
	template, found, err := unstructured.NestedMap(revision.Object, "data", "spec", "template")
	if err != nil || !found {
		return nil, err
	}
	// The revision is a strategic merge patch that replaces the template.
	delete(template, "$patch")
	raw, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("reading ControllerRevision %q: %w", revision.GetName(), err)
	}
	return raw, nil
}
