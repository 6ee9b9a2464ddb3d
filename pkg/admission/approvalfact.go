package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// approvalFact finds out what stands for the pod template of a candidate. It never reads a status,
// and takes annotations and owner references for pointers only.
func (j *Judge) approvalFact(ctx context.Context, c *candidate) (*policy.ApprovalFact, error) {
	rules := c.environment.Spec.Rules.Approval
	if rules == nil {
		return nil, nil
	}
	if c.subject.IsPod() && c.old != nil && len(c.subject.UnsettledImages()) == 0 {
		return &policy.ApprovalFact{Exempt: "a resize changes no program that runs"}, nil
	}
	origin, err := j.lineage(ctx, c)
	if err != nil || origin.exempt != "" || origin.problem != "" {
		return &policy.ApprovalFact{Exempt: origin.exempt, Problem: origin.problem}, err
	}
	object := c.object
	hash, err := templatehash.OfJSON(c.subject.Template)
	if err != nil {
		return nil, err
	}
	exempt, err := j.rollbackExemption(ctx, rules, c, object, hash)
	if err != nil || exempt != "" {
		return &policy.ApprovalFact{Exempt: exempt}, err
	}
	names, err := releaseNames(c.request, object)
	if err != nil {
		return nil, err
	}
	exempt, closed, err := j.wayBack(ctx, c.environment, c, object, hash, names)
	if err != nil || exempt != "" {
		return &policy.ApprovalFact{Exempt: exempt}, err
	}
	fact, err := j.releaseFact(ctx, c.environment.Name, c, object, hash)
	if err == nil && fact.Problem != "" && closed != "" {
		fact.Problem = closed
	}
	return fact, err
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

// rollbackExemption admits a template that the Deployment has run, where the environment says so.
func (j *Judge) rollbackExemption(ctx context.Context, rules *v1alpha1.ApprovalRules, c *candidate, object *metav1.ObjectMeta, hash string) (string, error) {
	if rules.Rollback != v1alpha1.RollbackApprovalNone || c.old == nil || c.subject.Kind != deploymentKind().GroupKind() || object.UID == "" {
		return "", nil
	}
	name, err := j.ownRevision(ctx, c.request.Namespace, c.subject.Kind, object.UID, hash)
	if err != nil || name == "" {
		return "", err
	}
	return "a rollback to " + name, nil
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
	if problem, err = j.uncovered(ctx, c, object, release, hash); err != nil || problem != "" {
		return &policy.ApprovalFact{Problem: problem}, err
	}
	return j.consentTo(ctx, release, hash)
}

// consentTo returns who approved a Release whose spec.to has a hash.
func (j *Judge) consentTo(ctx context.Context, release *releaseRecord, to string) (*policy.ApprovalFact, error) {
	approvals, err := j.sealedApprovals(ctx, release)
	if err != nil {
		return nil, err
	}
	return &policy.ApprovalFact{
		Release: release.Name, RequestedBy: release.Spec.RequestedBy, TemplateHash: to, Approvals: approvals, Now: j.Clock.Now(),
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
			j.Log.Error(err, "left out an Approval that cannot be read", "namespace", release.Namespace, "name", live[i].GetName())
			continue
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
