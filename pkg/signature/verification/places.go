package verification

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// readSignatureTag reads the tag sha256-….sig.
func (c *collection) readSignatureTag(ctx context.Context) {
	worth := func(l layer) bool {
		_, found := l.Annotations[annotationSignature]
		return found
	}
	c.readTag(ctx, "sig", maxPayload, worth, func(l layer, content []byte) error {
		s, err := readTagSignature(l, content, c.ref.Digest)
		if err != nil {
			return err
		}
		c.add(ctx, s)
		return nil
	})
}

// readAttestationTag reads the tag sha256-….att. Its layers say of which type they are; what they say is only used to
// leave those alone that say to be of another.
func (c *collection) readAttestationTag(ctx context.Context) {
	worth := func(l layer) bool {
		hint := l.Annotations[annotationPredicate]
		return hint == "" || c.isWanted(hint)
	}
	c.readTag(ctx, "att", maxEnvelope, worth, func(l layer, content []byte) error {
		list, err := readTagAttestations(l, content, c.ref.Digest)
		if err != nil {
			return err
		}
		for _, s := range list {
			c.add(ctx, s)
		}
		return nil
	})
}

// readTag reads the layers under a tag of the image, the newest first.
func (c *collection) readTag(ctx context.Context, suffix string, limit int64, worth func(layer) bool, use func(layer, []byte) error) {
	tag := c.ref
	tag.Digest, tag.Tag = "", strings.Replace(c.ref.Digest, ":", "-", 1)+"."+suffix
	m, err := c.readManifestOf(ctx, tag)
	switch {
	case errors.Is(err, image.ErrNotExist):
		return
	case err != nil:
		c.miss(v1alpha1.FormatTag, err)
		return
	}
	var layers []layer
	for _, l := range slices.Backward(m.Layers) {
		if !worth(l) {
			continue
		}
		if len(layers) == maxLayers {
			c.reject(proof.Rejection{Format: v1alpha1.FormatTag, Reason: fmt.Sprintf("only the newest %d layers of the tag %s were tried", maxLayers, tag.Tag)})
			break
		}
		layers = append(layers, l)
	}
	c.each(ctx, len(layers), atOnce, func(ctx context.Context, i int) {
		if err := layers[i].unfit(limit); err != nil {
			c.reject(proof.Rejection{Format: v1alpha1.FormatTag, Reason: err.Error()})
			return
		}
		c.fetch(ctx, v1alpha1.FormatTag, layers[i], func(content []byte) error { return use(layers[i], content) })
	})
}

// readManifestOf returns a manifest without layers where what is there cannot be read as one.
func (c *collection) readManifestOf(ctx context.Context, ref image.Reference) (manifest, error) {
	fetched, err := c.verifier.config.Registry.Manifest(ctx, c.access, ref)
	if err != nil {
		return manifest{}, err
	}
	m, err := readManifest(fetched.Raw)
	if err != nil {
		return manifest{}, nil
	}
	return m, nil
}

// readReferrers reads the bundles that refer to the image: first those that say that they are bundles, then those that
// say nothing.
func (c *collection) readReferrers(ctx context.Context) {
	chosen := newChoice(c.isWanted)
	found, err := c.verifier.config.Registry.Referrers(ctx, c.access, c.ref, chosen.keep, 2*maxReferrers)
	if err != nil {
		if !errors.Is(err, image.ErrNotExist) {
			c.miss(v1alpha1.FormatBundle, err)
		}
		return
	}
	if chosen.more || found.Omitted > 0 {
		c.reject(proof.Rejection{Format: v1alpha1.FormatBundle, Reason: fmt.Sprintf("only %d of its referrers were tried", len(found.Descriptors))})
	}
	slices.SortStableFunc(found.Descriptors, func(a, b registry.Descriptor) int {
		return strings.Compare(rankOf(chosen, a), rankOf(chosen, b))
	})
	c.each(ctx, len(found.Descriptors), atOnce, func(ctx context.Context, i int) {
		c.readReferrer(ctx, found.Descriptors[i], chosen.certain[found.Descriptors[i].Digest])
	})
}

func rankOf(chosen *choice, d registry.Descriptor) string {
	if chosen.certain[d.Digest] {
		return "a"
	}
	return "b"
}

func (c *collection) readReferrer(ctx context.Context, d registry.Descriptor, certain bool) {
	ref := c.ref
	ref.Digest, ref.Tag = d.Digest, ""
	m, err := c.readManifestOf(ctx, ref)
	if err != nil {
		c.miss(v1alpha1.FormatBundle, err)
		return
	}
	l, err := bundleLayer(m)
	if err != nil && !certain {
		return
	}
	if err == nil {
		err = l.unfit(maxEnvelope)
	}
	if err != nil {
		c.reject(proof.Rejection{Format: v1alpha1.FormatBundle, Reason: err.Error()})
		return
	}
	c.fetch(ctx, v1alpha1.FormatBundle, l, func(content []byte) error {
		s, err := readBundle(content, c.ref.Digest)
		if err != nil {
			return err
		}
		c.add(ctx, s)
		return nil
	})
}
