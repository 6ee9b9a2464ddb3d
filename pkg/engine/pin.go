package engine

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// pin writes into the wanted template the digests that the trial Pod was pinned to, where the
// environment asks for an approval: people approve what will run, and a tag may be something else
// tomorrow. pod is nil where none could be tried.
func (p *preflight) pin(ctx context.Context, to release.Template, pod *corev1.Pod) (release.Template, error) {
	asked, err := p.approvalAsked(ctx)
	if err != nil || !asked || len(release.Unpinned(&to.Typed)) == 0 {
		return to, err
	}
	if pod != nil {
		pinned, err := release.Pin(to, pod)
		if err != nil {
			return release.Template{}, err
		}
		if pinned.Hash != to.Hash {
			// The Release holds what the API server makes of it.
			if to, err = p.dryRun(ctx, &pinned); err != nil {
				return release.Template{}, err
			}
		}
	}
	open := release.Unpinned(&to.Typed)
	if len(open) == 0 {
		return to, nil
	}
	return release.Template{}, &PolicyError{
		Object: "deployment/" + p.req.Workload,
		Message: fmt.Sprintf("environment %q asks for approval, which covers images by digest only, and nothing there pins these: write each image by digest (NAME:TAG@sha256:…)\n  %s",
			p.req.Environment, strings.Join(open, "\n  ")),
	}
}

// approvalAsked tells whether the release needs an approval. Whoever may not read the Environment hears
// it from the webhook.
func (p *preflight) approvalAsked(ctx context.Context) (bool, error) {
	if p.req.Environment == "" {
		return false, nil
	}
	env, err := p.ports.Consent.GetEnvironment(ctx, p.req.Environment)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading environment %q: %w", p.req.Environment, err)
	}
	return asksApproval(env, p.req.Action), nil
}

// asksApproval tells whether an environment wants other people's consent to an action.
func asksApproval(env *v1alpha1.Environment, action v1alpha1.Action) bool {
	rules := env.Spec.Rules.Approval
	return rules != nil && (action != v1alpha1.ActionRollback || rules.Rollback != v1alpha1.RollbackApprovalNone)
}
