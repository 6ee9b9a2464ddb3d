package registry

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Refer puts in artifacts that refer to an image: found through the referrers API where the registry has
// it, else through the fallback tag sha256-DIGEST, which is written once for all of them.
func (r *Registry) Refer(ref image.Reference, artifacts ...ImageManifest) error {
	empty, err := r.Blob(ref.Repository, emptyType, []byte(`{}`))
	if err != nil {
		return err
	}
	var descriptors []Descriptor
	for _, artifact := range artifacts {
		// The registry reports this, the type of the configuration, as that of the artifact, as others do.
		artifact.Config = empty
		artifact.Subject = &Descriptor{MediaType: manifestType, Digest: ref.Digest, Size: 1}
		descriptor, err := r.Manifest(ref.Repository, artifact)
		if err != nil {
			return err
		}
		descriptors = append(descriptors, descriptor)
	}
	if r.referrers {
		return nil
	}
	return r.appendFallback(ref, descriptors)
}

// appendFallback adds to the index under the fallback tag, as a client does.
func (r *Registry) appendFallback(ref image.Reference, descriptors []Descriptor) error {
	r.tags.Lock()
	defer r.tags.Unlock()
	index := indexManifest{SchemaVersion: 2, MediaType: indexType}
	raw, _, err := r.read(ref.Repository, fallbackTag(ref))
	switch {
	case errors.Is(err, errRefused): // the first
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(raw, &index); err != nil {
			return fmt.Errorf("reading the referrers of %s: %w", ref, err)
		}
	}
	index.Manifests = append(index.Manifests, descriptors...)
	if raw, err = json.Marshal(index); err != nil {
		return fmt.Errorf("encoding the referrers of %s: %w", ref, err)
	}
	return r.put(ref.Repository, fallbackTag(ref), indexType, raw)
}
