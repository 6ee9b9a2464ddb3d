package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// serviceAccountPrefix begins the user name of every service account.
const serviceAccountPrefix = "system:serviceaccount:"

func readApproval(raw []byte) (*v1alpha1.Approval, error) {
	a := &v1alpha1.Approval{}
	if err := utiljson.Unmarshal(raw, a); err != nil {
		return nil, fmt.Errorf("reading Approval: %w", err)
	}
	return a, nil
}

// stampApproval writes who approves, when, and which pod template; then the seal.
func (j *Judge) stampApproval(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	a, err := readApproval(request.Object.Raw)
	if err != nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("Approval %q", a.Name)}
	hash, violations, err := j.judgeApproval(ctx, environment, request, a)
	if err != nil || len(violations) > 0 {
		d.verdict = policy.NewVerdict(violations...)
		return d, err
	}
	key, err := j.Keys.SealKey(ctx)
	if err != nil {
		return d, fmt.Errorf("reading the seal key: %w", err)
	}
	had := a.Spec
	a.Namespace = request.Namespace
	a.Spec.Approver, a.Spec.TemplateHash = requester(request), hash
	if !j.stampedNow(key, a) {
		a.Spec.ApprovedAt = &metav1.Time{Time: j.Clock.Now().UTC().Truncate(1e9)}
	}
	if a.Spec.Seal, err = approvalSeal(key, a); err != nil {
		return d, err
	}
	d.patch = addIfDifferent(d.patch, "/spec/approver", had.Approver, a.Spec.Approver)
	if !had.ApprovedAt.Equal(a.Spec.ApprovedAt) {
		d.patch = append(d.patch, jsonpatch.NewOperation("add", "/spec/approvedAt", a.Spec.ApprovedAt))
	}
	d.patch = addIfDifferent(d.patch, "/spec/templateHash", had.TemplateHash, a.Spec.TemplateHash)
	d.patch = addIfDifferent(d.patch, "/spec/seal", had.Seal, a.Spec.Seal)
	return d, nil
}

// stampedNow recognizes an Approval that this webhook stamped for the same request a moment ago: the
// API server may ask a mutating webhook again, and that must change nothing.
func (j *Judge) stampedNow(key []byte, a *v1alpha1.Approval) bool {
	if a.Spec.ApprovedAt == nil {
		return false
	}
	want, err := approvalSeal(key, a)
	age := j.Clock.Now().Sub(a.Spec.ApprovedAt.Time)
	return err == nil && sealed(a.Spec.Seal, want) && age >= 0 && age < 2*DefaultTimeout
}

// judgeApproval says why a user may not approve a Release; else it returns the hash of the template
// that the approval is for. The authorizer is asked last and every time.
func (j *Judge) judgeApproval(ctx context.Context, name string, request *admissionv1.AdmissionRequest, a *v1alpha1.Approval) (hash string, violations []policy.Violation, err error) {
	refuse := func(field, format string, args ...any) {
		violations = append(violations, policy.Violation{Rule: policy.RuleApproval, Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if a.Name == "" {
		refuse("metadata.name", "an Approval needs a name of its own, not generateName: its seal binds the name")
	}
	environment, err := j.environment(ctx, name)
	if err != nil {
		return "", nil, err
	}
	if environment == nil || environment.Spec.Rules.Approval == nil {
		refuse("spec.release", "environment %q asks for no approval: there is nothing to approve", name)
		return "", violations, nil
	}
	release, problem, err := j.findRelease(ctx, name, request.Namespace, a.Spec.Release.Name)
	if err != nil {
		return "", nil, err
	}
	user, rules := requester(request), *environment.Spec.Rules.Approval
	switch {
	case problem != "":
		refuse("spec.release.name", "%s", problem)
	case release.UID != a.Spec.Release.UID:
		refuse("spec.release.uid", "Release %q has UID %q, not %q: it is another one of the same name", release.Name, release.UID, a.Spec.Release.UID)
	default:
		if policy.SeparateRequester(rules) && policy.SamePerson(user, release.Spec.RequestedBy) {
			refuse("spec.approver", "user %q requested Release %q: someone else must approve it", user.Username, release.Name)
		}
		_, hash, err = release.hashes()
		if err != nil {
			return "", nil, err
		}
	}
	if account, is := strings.CutPrefix(user.Username, serviceAccountPrefix); is {
		if account = strings.ReplaceAll(account, ":", "/"); !slices.Contains(rules.ServiceAccounts, account) {
			refuse("spec.approver", "service account %q is not listed in rules.approval.serviceAccounts: approval is for people", account)
		}
	}
	allowed, err := j.Access.Holds(ctx, request.UserInfo, v1alpha1.VerbApprove, name)
	if err != nil {
		return "", nil, fmt.Errorf("asking whether user %q may approve in environment %q: %w", user.Username, name, err)
	}
	if !allowed {
		refuse("spec.approver", "user %q may not approve here: RBAC must grant the verb %q on environments.%s/%s", user.Username, v1alpha1.VerbApprove, v1alpha1.GroupName, name)
	}
	return hash, violations, nil
}

// validateApproval accepts a new Approval only with the stamps of this very request, and no change of a spec.
func (j *Judge) validateApproval(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	if request.Operation == admissionv1.Update {
		return sameSpec(request, v1alpha1.KindApproval, policy.RuleApproval)
	}
	a, err := readApproval(request.Object.Raw)
	if err != nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("Approval %q", a.Name)}
	hash, violations, err := j.judgeApproval(ctx, environment, request, a)
	if err != nil {
		return d, err
	}
	if len(violations) == 0 {
		violations, err = j.judgeApprovalStamps(ctx, request, a, hash)
	}
	d.verdict = policy.NewVerdict(violations...)
	return d, err
}

func (j *Judge) judgeApprovalStamps(ctx context.Context, request *admissionv1.AdmissionRequest, a *v1alpha1.Approval, hash string) ([]policy.Violation, error) {
	var violations []policy.Violation
	refuse := func(field, message string) {
		violations = append(violations, policy.Violation{Rule: policy.RuleApproval, Field: field, Message: message})
	}
	a.Namespace = request.Namespace
	if a.Spec.Approver != requester(request) {
		refuse("spec.approver", fmt.Sprintf("must be the requesting user %q, which the webhook stamps", request.UserInfo.Username))
	}
	if a.Spec.TemplateHash != hash {
		refuse("spec.templateHash", "is not the hash of the Release's spec.to, which the webhook stamps")
	}
	valid, err := j.approvalSealed(ctx, a)
	if err == nil && !valid {
		refuse("spec.seal", "is not the seal of this Approval: the mutating webhook did not stamp it")
	}
	return violations, err
}

// approvalSealed tells whether the webhook itself stamped an Approval. Without a valid seal an Approval is absent.
func (j *Judge) approvalSealed(ctx context.Context, a *v1alpha1.Approval) (bool, error) {
	key, err := j.Keys.SealKey(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the seal key: %w", err)
	}
	want, err := approvalSeal(key, a)
	if err != nil {
		return false, err
	}
	return sealed(a.Spec.Seal, want), nil
}

// findRelease reads a Release live that stands for something here; otherwise it says what is wrong.
func (j *Judge) findRelease(ctx context.Context, environment, namespace, name string) (release *releaseRecord, problem string, err error) {
	live, err := j.Objects.Get(ctx, releaseKind(), namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Sprintf("Release %q does not exist in namespace %q", name, namespace), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading Release %q: %w", name, err)
	}
	raw, err := live.MarshalJSON()
	if err != nil {
		return nil, "", fmt.Errorf("reading Release %q: %w", name, err)
	}
	if release, err = readRelease(raw); err != nil {
		return nil, "", err
	}
	valid, err := j.releaseSealed(ctx, release)
	switch {
	case err != nil:
		return nil, "", err
	case !valid:
		return nil, fmt.Sprintf("Release %q bears no valid seal of the webhook: request the release again", name), nil
	case release.Spec.Environment != environment:
		return nil, fmt.Sprintf("Release %q is for environment %q", name, release.Spec.Environment), nil
	}
	return release, "", nil
}
