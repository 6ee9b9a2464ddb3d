package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// RuleRelease is the rule under which a Release is refused that cannot be stamped or sealed.
const RuleRelease policy.Rule = "release"

// releaseRecord is a Release with its templates as they are stored: a field that this program's types
// do not know is part of what was requested.
type releaseRecord struct {
	v1alpha1.Release
	from, to json.RawMessage
}

func readRelease(raw []byte) (*releaseRecord, error) {
	r := &releaseRecord{}
	if err := utiljson.Unmarshal(raw, &r.Release); err != nil {
		return nil, fmt.Errorf("reading Release: %w", err)
	}
	var templates struct {
		Spec struct {
			From json.RawMessage `json:"from"`
			To   json.RawMessage `json:"to"`
		} `json:"spec"`
	}
	// Keys are case-sensitive here, which they are not for package json.
	if err := utiljson.Unmarshal(raw, &templates); err != nil {
		return nil, fmt.Errorf("reading Release: %w", err)
	}
	r.to = templates.Spec.To
	if string(templates.Spec.From) != "null" {
		r.from = templates.Spec.From
	}
	return r, nil
}

// hashes returns those of spec.from ("-" where there is none) and spec.to.
func (r *releaseRecord) hashes() (from, to string, err error) {
	from = absentHash
	if len(r.from) > 0 {
		if from, err = templatehash.OfJSON(r.from); err != nil {
			return "", "", fmt.Errorf("reading spec.from of Release %q: %w", r.Name, err)
		}
	}
	if to, err = templatehash.OfJSON(r.to); err != nil {
		return "", "", fmt.Errorf("reading spec.to of Release %q: %w", r.Name, err)
	}
	return from, to, nil
}

// stampRelease writes what the webhook knows better than the client: the environment, who requests,
// what runs now; then the seal over all that.
func (j *Judge) stampRelease(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	r, err := readRelease(request.Object.Raw)
	if err != nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("Release %q", r.Name)}
	had, hadFrom := r.Spec, r.from
	from, violations, err := j.judgeRelease(ctx, environment, request, r)
	if err != nil || len(violations) > 0 {
		d.verdict = policy.NewVerdict(violations...)
		return d, err
	}
	r.Namespace = request.Namespace
	r.Spec.Environment, r.Spec.RequestedBy, r.from = environment, requester(request), from
	key, err := j.Keys.SealKey(ctx)
	if err != nil {
		return d, fmt.Errorf("reading the seal key: %w", err)
	}
	if r.Spec.Seal, err = releaseSeal(key, r); err != nil {
		return d, err
	}
	d.patch = addIfDifferent(d.patch, "/spec/environment", had.Environment, r.Spec.Environment)
	d.patch = addIfDifferent(d.patch, "/spec/requestedBy", had.RequestedBy, r.Spec.RequestedBy)
	switch {
	case len(from) == 0 && len(hadFrom) > 0:
		d.patch = append(d.patch, jsonpatch.NewOperation("remove", "/spec/from", nil))
	case len(from) > 0 && !sameJSON(hadFrom, from):
		d.patch = append(d.patch, jsonpatch.NewOperation("add", "/spec/from", from))
	}
	d.patch = addIfDifferent(d.patch, "/spec/seal", had.Seal, r.Spec.Seal)
	return d, nil
}

// addIfDifferent sets a member of an object that exists; "add" replaces a member that is there (RFC 6902, 4.1).
func addIfDifferent[T comparable](patch []jsonpatch.Operation, path string, have, want T) []jsonpatch.Operation {
	if have == want {
		return patch
	}
	return append(patch, jsonpatch.NewOperation("add", path, want))
}

// judgeRelease says what is wrong with a new Release, and returns the template that runs now.
func (j *Judge) judgeRelease(ctx context.Context, environment string, request *admissionv1.AdmissionRequest, r *releaseRecord) (from json.RawMessage, violations []policy.Violation, err error) {
	refuse := func(field, format string, args ...any) {
		violations = append(violations, policy.Violation{Rule: RuleRelease, Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if r.Name == "" {
		refuse("metadata.name", "a Release needs a name of its own, not generateName: its seal binds the name")
	}
	template, readErr := policy.NewTemplate("spec.to", r.to)
	if _, hashErr := templatehash.OfJSON(r.to); hashErr != nil || readErr != nil {
		refuse("spec.to", "must be a pod template: %s", cmp.Or(hashErr, readErr))
	} else {
		tags, err := j.judgeDigests(ctx, environment, r, template)
		if err != nil {
			return nil, nil, err
		}
		violations = append(violations, tags...)
	}
	workload := r.Spec.Workload
	if workload.Kind != deploymentKind().Kind {
		refuse("spec.workload.kind", "%q cannot be released, only a Deployment", workload.Kind)
		return nil, violations, nil
	}
	live, err := j.Objects.Get(ctx, deploymentKind(), request.Namespace, workload.Name)
	switch {
	case apierrors.IsNotFound(err):
		if r.Spec.Strategy != v1alpha1.StrategyCreate || workload.UID != "" {
			refuse("spec.workload", "Deployment %q does not exist in namespace %q", workload.Name, request.Namespace)
		}
		return nil, violations, nil
	case err != nil:
		return nil, nil, fmt.Errorf("reading Deployment %q: %w", workload.Name, err)
	case r.Spec.Strategy == v1alpha1.StrategyCreate:
		refuse("spec.strategy", "Deployment %q exists already: strategy %q is for one that does not", workload.Name, v1alpha1.StrategyCreate)
	case live.GetUID() != workload.UID:
		refuse("spec.workload.uid", "Deployment %q has UID %q, not %q: it was replaced since", workload.Name, live.GetUID(), workload.UID)
	}
	from, err = liveTemplate(builtIn{}, live, deploymentKind())
	return from, violations, err
}

// judgeDigests refuses tags where people approve what runs. Only a rollback that needs no approval may go
// back to a template as it stood.
func (j *Judge) judgeDigests(ctx context.Context, name string, r *releaseRecord, template *policy.Subject) ([]policy.Violation, error) {
	environment, err := j.environment(ctx, name)
	if err != nil || environment == nil || environment.Spec.Rules.Approval == nil {
		return nil, err
	}
	if r.Spec.Action == v1alpha1.ActionRollback && environment.Spec.Rules.Approval.Rollback == v1alpha1.RollbackApprovalNone {
		return nil, nil
	}
	var violations []policy.Violation
	for _, slot := range template.ImagesWithoutDigest() {
		violations = append(violations, policy.Violation{Rule: RuleRelease, Field: slot.Field, Message: fmt.Sprintf(
			"image %q of %s must be named by its digest (NAME:TAG@sha256:…), because environment %q asks for approval and a tag can move after it: `kubectl rune canary` writes digests by itself",
			slot.Image, slot.Owner, name)})
	}
	return violations, nil
}

// validateRelease accepts a new Release only with the stamps that the mutating side gave for this very
// request, and no change of a spec.
func (j *Judge) validateRelease(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	if request.Operation == admissionv1.Update {
		return sameSpec(request, v1alpha1.KindRelease, RuleRelease)
	}
	r, err := readRelease(request.Object.Raw)
	if err != nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("Release %q", r.Name)}
	from, violations, err := j.judgeRelease(ctx, environment, request, r)
	if err != nil {
		return d, err
	}
	if len(violations) == 0 {
		violations, err = j.judgeReleaseStamps(ctx, environment, request, r, from)
	}
	d.verdict = policy.NewVerdict(violations...)
	return d, err
}

func (j *Judge) judgeReleaseStamps(ctx context.Context, environment string, request *admissionv1.AdmissionRequest, r *releaseRecord, from json.RawMessage) ([]policy.Violation, error) {
	var violations []policy.Violation
	refuse := func(field, message string) {
		violations = append(violations, policy.Violation{Rule: RuleRelease, Field: field, Message: message})
	}
	r.Namespace = request.Namespace
	if r.Spec.Environment != environment {
		refuse("spec.environment", fmt.Sprintf("must be %q, which the webhook stamps", environment))
	}
	if r.Spec.RequestedBy != requester(request) {
		refuse("spec.requestedBy", fmt.Sprintf("must be the requesting user %q, which the webhook stamps", request.UserInfo.Username))
	}
	if len(from) != len(r.from) && (len(from) == 0 || len(r.from) == 0) || len(from) > 0 && !sameJSON(from, r.from) {
		refuse("spec.from", "is not the pod template that the workload has now: it changed in between, request the release again")
	}
	valid, err := j.releaseSealed(ctx, r)
	if err == nil && !valid {
		refuse("spec.seal", "is not the seal of this Release: the mutating webhook did not stamp it")
	}
	return violations, err
}

// releaseSealed tells whether the webhook itself stamped a Release. Without a valid seal a Release stands for nothing.
func (j *Judge) releaseSealed(ctx context.Context, r *releaseRecord) (bool, error) {
	key, err := j.Keys.SealKey(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the seal key: %w", err)
	}
	want, err := releaseSeal(key, r)
	if err != nil {
		return false, err
	}
	return sealed(r.Spec.Seal, want), nil
}

// sameSpec refuses an update that changes the spec. The CRDs say so too; a decision that trusts the
// spec must not depend on which CRD is installed.
func sameSpec(request *admissionv1.AdmissionRequest, kind string, rule policy.Rule) (decision, error) {
	same, err := sameMember(request.Object.Raw, request.OldObject.Raw, "spec")
	if err != nil {
		return decision{}, fmt.Errorf("reading %s: %w", kind, err)
	}
	d := decision{judged: true, what: fmt.Sprintf("%s %q", kind, request.Name)}
	if !same {
		d.verdict = policy.NewVerdict(policy.Violation{Rule: rule, Field: "spec", Message: "is immutable: it is what was requested and approved"})
	}
	return d, nil
}

// requester is the user of a request as the API server authenticated it.
func requester(request *admissionv1.AdmissionRequest) v1alpha1.Identity {
	return v1alpha1.Identity{Username: request.UserInfo.Username, UID: request.UserInfo.UID}
}

func deploymentKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
}
