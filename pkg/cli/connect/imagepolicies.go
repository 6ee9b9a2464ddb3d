package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// ImagePolicies lists all ImagePolicies, sorted by name as the API server does. Unlike others, those that cannot be read
// are an error and not left out: without them less would be asked of images.
func (c *Connection) ImagePolicies(ctx context.Context) ([]v1alpha1.ImagePolicy, error) {
	var found struct {
		Items []json.RawMessage `json:"items"`
	}
	answer := c.Rune.Get().Resource("imagepolicies").Do(ctx)
	// Error decodes what the API server says; Raw does not.
	err := answer.Error()
	if err == nil {
		var raw []byte
		if raw, err = answer.Raw(); err == nil {
			err = json.Unmarshal(raw, &found)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing ImagePolicies: %w", err)
	}
	policies := make([]v1alpha1.ImagePolicy, len(found.Items))
	var errs []error
	for i, item := range found.Items {
		if err := json.Unmarshal(item, &policies[i]); err != nil {
			var named metav1.PartialObjectMetadata
			_ = json.Unmarshal(item, &named) // metadata is the API server's own and always fits
			errs = append(errs, fmt.Errorf("reading ImagePolicy %q, without which less would be asked of images: %w: mend it with `kubectl edit imagepolicy %s`",
				named.Name, err, named.Name))
		}
	}
	return policies, errors.Join(errs...)
}
