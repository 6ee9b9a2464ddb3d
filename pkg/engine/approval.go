package engine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// unapproved says whose consent is missing, or "". It only spares a write that would be refused: it
// cannot verify seals, and the webhook decides in the end.
func (d *driver) unapproved(ctx context.Context) (string, error) {
	if d.rel.Spec.Environment == "" {
		return "", nil
	}
	env, err := d.ports.Consent.GetEnvironment(ctx, d.rel.Spec.Environment)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		d.event(Event{Type: EventWarning, Message: fmt.Sprintf("reading environment %q: %v: whether an approval is needed shows at the first write", d.rel.Spec.Environment, err)})
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading environment %q: %w", d.rel.Spec.Environment, err)
	}
	if !asksApproval(env, d.rel.Spec.Action) {
		return "", nil
	}
	approvals, err := d.ports.Consent.ListApprovals(ctx, d.rel.Namespace)
	if err != nil {
		return "", fmt.Errorf("listing approvals: %w", err)
	}
	people := map[v1alpha1.Identity]bool{}
	for i := range approvals {
		if a := &approvals[i].Spec; a.Release.UID == d.rel.UID && a.Release.Name == d.rel.Name && a.Seal != "" {
			people[a.Approver] = true
		}
	}
	wanted := int(max(env.Spec.Rules.Approval.MinApprovals, 1))
	message := fmt.Sprintf("release %q has %d of %d approvals that environment %q asks for", d.rel.Name, len(people), wanted, env.Name)
	enough := len(people) >= wanted
	reason := "AwaitingApproval"
	if enough {
		reason = "Counted"
	}
	d.condition(v1alpha1.ConditionApproved, enough, reason, message)
	if enough {
		return "", nil
	}
	return message, nil
}
