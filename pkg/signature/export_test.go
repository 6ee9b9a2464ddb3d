package signature

import (
	"context"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// VerifyKeys lets tests ask for authorities without an ImagePolicy.
func (v *Verifier) VerifyKeys(ctx context.Context, ref image.Reference, authorities []v1alpha1.Authority) (image.Proof, error) {
	return v.verifyKeys(ctx, ref, authorities)
}
