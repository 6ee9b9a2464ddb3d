package connect

import (
	"context"
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// ImagePolicies lists all ImagePolicies, sorted by name as the API server does. Unlike others, one that cannot be read
// is an error and not left out: without it less would be asked of images.
func (c *Connection) ImagePolicies(ctx context.Context) ([]v1alpha1.ImagePolicy, error) {
	found := &v1alpha1.ImagePolicyList{}
	if err := c.Rune.Get().Resource("imagepolicies").Do(ctx).Into(found); err != nil {
		return nil, fmt.Errorf("listing ImagePolicies: %w", err)
	}
	return found.Items, nil
}
