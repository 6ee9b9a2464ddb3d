package admission

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// approvalFact finds out what stands for the pod template of a candidate. It never reads a status,
// and takes annotations and owner references for pointers only.
func (j *Judge) approvalFact(ctx context.Context, environment *v1alpha1.Environment, c *candidate) (*policy.ApprovalFact, error) {
	rules := environment.Spec.Rules.Approval
	if rules == nil {
		return nil, nil
	}
	if c.subject.IsPod() && c.old != nil && len(c.subject.UnsettledImages()) == 0 {
		return &policy.ApprovalFact{Exempt: "a resize changes no program that runs"}, nil
	}
	object, err := readMeta(c.request.Object.Raw)
	if err != nil {
		return nil, err
	}
	exempt, problem, err := j.childExemption(ctx, c, object)
	if err != nil || exempt != "" || problem != "" {
		return &policy.ApprovalFact{Exempt: exempt, Problem: problem}, err
	}
	hash, err := templatehash.OfJSON(c.subject.Template)
	if err != nil {
		return nil, err
	}
	if exempt, err = j.rollbackExemption(ctx, rules, c, object, hash); err != nil || exempt != "" {
		return &policy.ApprovalFact{Exempt: exempt}, err
	}
	names, err := releaseNames(c.request, object)
	if err != nil {
		return nil, err
	}
	if exempt, err = j.wayBack(ctx, environment.Name, c, object, hash, names); err != nil || exempt != "" {
		return &policy.ApprovalFact{Exempt: exempt}, err
	}
	return j.releaseFact(ctx, environment.Name, c, object, hash)
}

// releaseNames returns the Releases that the object points to now and pointed to before.
func releaseNames(request *admissionv1.AdmissionRequest, object *metav1.ObjectMeta) ([]string, error) {
	var names []string
	if name := object.Annotations[v1alpha1.AnnotationRelease]; name != "" {
		names = append(names, name)
	}
	if request.Operation != admissionv1.Update {
		return names, nil
	}
	old, err := readMeta(request.OldObject.Raw)
	if err != nil {
		return nil, fmt.Errorf("reading the former state: %w", err)
	}
	if name := old.Annotations[v1alpha1.AnnotationRelease]; name != "" && name != object.Annotations[v1alpha1.AnnotationRelease] {
		names = append(names, name)
	}
	return names, nil
}

// The way back is open until a release's deadline and the grace after it: the driver begins to take a
// release back at the deadline, and must still be able to then. The deadline is the requester's choice, so
// it counts up to longestFlight only.
const (
	wayBackGrace  = time.Hour
	longestFlight = 24 * time.Hour
)

// wayBack keeps the return to the former template open while a release is in flight: from its
// creation to its deadline and a grace, whatever its status says.
func (j *Judge) wayBack(ctx context.Context, environment string, c *candidate, object *metav1.ObjectMeta, hash string, names []string) (string, error) {
	if c.old == nil || c.subject.Kind != deploymentKind().GroupKind() {
		return "", nil
	}
	former, err := templatehash.OfJSON(c.old.Template)
	if err != nil {
		return "", fmt.Errorf("reading the former state: %w", err)
	}
	for _, name := range names {
		release, problem, err := j.findRelease(ctx, environment, c.request.Namespace, name)
		if err != nil {
			return "", err
		}
		if problem != "" || !isWorkloadOf(release, c.subject.Kind, c.subject.Name, object.UID) {
			continue
		}
		from, to, err := release.hashes()
		if err != nil {
			return "", err
		}
		end := release.CreationTimestamp.Add(min(deadlineOf(&release.Release), longestFlight) + wayBackGrace)
		if hash == from && former == to && j.Clock.Now().Before(end) {
			return fmt.Sprintf("the way back of Release %q", name), nil
		}
	}
	return "", nil
}

// rollbackExemption admits a template that the Deployment has run, where the environment says so.
func (j *Judge) rollbackExemption(ctx context.Context, rules *v1alpha1.ApprovalRules, c *candidate, object *metav1.ObjectMeta, hash string) (string, error) {
	if rules.Rollback != v1alpha1.RollbackApprovalNone || c.old == nil || c.subject.Kind != deploymentKind().GroupKind() || object.UID == "" {
		return "", nil
	}
	kind := appsKind("ReplicaSet")
	sets, err := j.Objects.List(ctx, kind, c.request.Namespace)
	if err != nil {
		return "", fmt.Errorf("listing the ReplicaSets of %s: %w", c.subject, err)
	}
	for i := range sets {
		owner := metav1.GetControllerOf(&sets[i])
		if owner == nil || owner.UID != object.UID {
			continue
		}
		template, err := liveTemplate(&sets[i], kind)
		if err != nil {
			return "", err
		}
		had, err := templatehash.OfJSON(template)
		if err != nil {
			return "", fmt.Errorf("reading ReplicaSet %q: %w", sets[i].GetName(), err)
		}
		if had == hash {
			return fmt.Sprintf("a rollback to ReplicaSet %q", sets[i].GetName()), nil
		}
	}
	return "", nil
}

// releaseFact reads the Release that the object points to and the Approvals of it.
func (j *Judge) releaseFact(ctx context.Context, environment string, c *candidate, object *metav1.ObjectMeta, hash string) (*policy.ApprovalFact, error) {
	name := object.Annotations[v1alpha1.AnnotationRelease]
	if name == "" {
		return &policy.ApprovalFact{Problem: fmt.Sprintf("needs an approved Release, and no annotation %s names one: "+
			"start one with `kubectl rune canary` or `kubectl rune promote`", v1alpha1.AnnotationRelease)}, nil
	}
	release, problem, err := j.findRelease(ctx, environment, c.request.Namespace, name)
	if err != nil || problem != "" {
		return &policy.ApprovalFact{Problem: problem}, err
	}
	_, to, err := release.hashes()
	if err != nil {
		return nil, err
	}
	isCanary := c.subject.Kind == deploymentKind().GroupKind() && c.subject.Name == release.Name
	switch {
	case !isCanary && !isWorkloadOf(release, c.subject.Kind, c.subject.Name, object.UID):
		return &policy.ApprovalFact{Problem: fmt.Sprintf("Release %q is for %s %q (UID %q), not for %s",
			name, release.Spec.Workload.Kind, release.Spec.Workload.Name, release.Spec.Workload.UID, c.subject)}, nil
	case hash != to:
		return &policy.ApprovalFact{Problem: fmt.Sprintf("the pod template is not the one of Release %q (spec.to): "+
			"what was approved must be what runs", name)}, nil
	}
	approvals, err := j.sealedApprovals(ctx, release)
	if err != nil {
		return nil, err
	}
	return &policy.ApprovalFact{
		Release: name, RequestedBy: release.Spec.RequestedBy, TemplateHash: hash, Approvals: approvals, Now: j.Clock.Now(),
	}, nil
}

// sealedApprovals returns those of one Release, by UID. One that is being deleted is withdrawn.
func (j *Judge) sealedApprovals(ctx context.Context, release *releaseRecord) ([]v1alpha1.ApprovalSpec, error) {
	live, err := j.Objects.List(ctx, approvalKind(), release.Namespace)
	if err != nil {
		return nil, fmt.Errorf("listing the Approvals of Release %q: %w", release.Name, err)
	}
	var approvals []v1alpha1.ApprovalSpec
	for i := range live {
		raw, err := live[i].MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("reading Approval %q: %w", live[i].GetName(), err)
		}
		a, err := readApproval(raw)
		if err != nil {
			return nil, err
		}
		if a.Spec.Release.UID != release.UID || a.Spec.Release.Name != release.Name || a.DeletionTimestamp != nil {
			continue
		}
		valid, err := j.approvalSealed(ctx, a)
		if err != nil {
			return nil, err
		}
		if valid {
			approvals = append(approvals, a.Spec)
		}
	}
	return approvals, nil
}

// isWorkloadOf tells whether an object is the one that a Release is for. The UID counts where both
// have one: a Release that creates its workload knows none, and a new object may not have one yet.
func isWorkloadOf(release *releaseRecord, kind schema.GroupKind, name string, uid types.UID) bool {
	workload := release.Spec.Workload
	return kind == deploymentKind().GroupKind() && workload.Kind == kind.Kind && workload.Name == name &&
		(workload.UID == "" || uid == "" || workload.UID == uid)
}

func readMeta(raw []byte) (*metav1.ObjectMeta, error) {
	var object metav1.PartialObjectMetadata
	if err := utiljson.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	return &object.ObjectMeta, nil
}

func appsKind(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: kind}
}
