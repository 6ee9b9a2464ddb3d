package verification

import (
	"context"
	"errors"
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
	c.readTag(ctx, place{format: v1alpha1.FormatTag, signatures: true}, "sig", maxPayload, worth, func(l layer, content []byte) error {
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
		hint := hintedBy(l)
		return hint == "" || c.isWanted(hint)
	}
	c.readTag(ctx, place{format: v1alpha1.FormatTag}, "att", maxEnvelope, worth, func(l layer, content []byte) error {
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
func (c *collection) readTag(ctx context.Context, from place, suffix string, limit int64, worth func(layer) bool, use func(layer, []byte) error) {
	tag := c.ref
	tag.Digest, tag.Tag = "", strings.Replace(c.ref.Digest, ":", "-", 1)+"."+suffix
	m, err := c.readManifestOf(ctx, tag)
	switch {
	case errors.Is(err, image.ErrNotExist):
		return
	case err != nil:
		c.miss(from, err)
		return
	}
	layers := c.newest(from, m.Layers, worth)
	c.each(ctx, len(layers), c.atOnce(), func(ctx context.Context, i int) {
		from := from.of(layers[i])
		if err := layers[i].unfit(limit); err != nil {
			c.unfit(from, err)
			return
		}
		c.fetch(ctx, from, layers[i], func(content []byte) error { return use(layers[i], content) })
	})
}

// newest returns the layers that are worth a look, the newest first: of each type as many as are tried, so that none
// crowds out another.
func (c *collection) newest(from place, all []layer, worth func(layer) bool) []layer {
	var layers []layer
	count := map[string]int{}
	for _, l := range slices.Backward(all) {
		if !worth(l) {
			continue
		}
		at := from.of(l)
		switch count[at.hint]++; {
		case count[at.hint] <= maxLayers:
			layers = append(layers, l)
		case count[at.hint] == maxLayers+1:
			c.leaveMore(at, maxLayers, "layers of its tag, the newest,")
		}
	}
	return layers
}

// unfit takes what is not fetched.
func (c *collection) unfit(from place, err error) {
	if isTooLarge(err) {
		c.leaveContent(from, whyTooLarge(err))
		return
	}
	c.reject(proof.Rejection{Format: from.format, Reason: err.Error()})
}

// readManifestOf returns a manifest without layers where what is there cannot be read as one.
func (c *collection) readManifestOf(ctx context.Context, ref image.Reference) (manifest, error) {
	var m manifest
	var mistake error
	err := c.verifier.reading.manifest(ctx, c.ref.Registry, func(ctx context.Context) error {
		fetched, err := c.verifier.config.Registry.Manifest(ctx, c.access, ref)
		if err != nil {
			return err
		}
		return c.verifier.reading.decode(ctx, int64(len(fetched.Raw)), func() { m, mistake = readManifest(fetched.Raw) })
	})
	if err == nil && errors.Is(mistake, errStructure) {
		err = mistake
	}
	return m, err
}

// readReferrers reads the bundles that refer to the image: first those that say that they are bundles, then those that
// say nothing.
func (c *collection) readReferrers(ctx context.Context) {
	from := place{format: v1alpha1.FormatBundle}
	chosen := newChoice(c.isWanted)
	found, err := c.verifier.config.Registry.Referrers(ctx, c.access, c.ref, chosen.keep, (len(c.wanted)+unhinted)*maxReferrers)
	if err != nil {
		if !errors.Is(err, image.ErrNotExist) {
			c.miss(from, err)
		}
		return
	}
	for kind := range chosen.more {
		c.leaveMore(place{format: from.format, hint: kind.hint}, maxReferrers, "of its referrers")
	}
	if found.Omitted > 0 {
		c.leaveMore(from, len(found.Descriptors), "of its referrers")
	}
	certain := func(d registry.Descriptor) bool { return chosen.kinds[d.Digest].certain }
	slices.SortStableFunc(found.Descriptors, func(a, b registry.Descriptor) int {
		switch {
		case certain(a) == certain(b):
			return 0
		case certain(a):
			return -1
		}
		return 1
	})
	c.each(ctx, len(found.Descriptors), c.atOnce(), func(ctx context.Context, i int) {
		c.readReferrer(ctx, found.Descriptors[i], chosen.kinds[found.Descriptors[i].Digest])
	})
}

func (c *collection) readReferrer(ctx context.Context, d registry.Descriptor, of kind) {
	from := place{format: v1alpha1.FormatBundle, hint: of.hint}
	ref := c.ref
	ref.Digest, ref.Tag = d.Digest, ""
	m, err := c.readManifestOf(ctx, ref)
	switch {
	case isTooLarge(err): // A bundle's manifest has one layer.
		c.reject(proof.Rejection{Format: from.format, Reason: whyTooLarge(err)})
		return
	case err != nil:
		c.miss(from, err)
		return
	}
	l, err := bundleLayer(m)
	if err != nil && !of.certain {
		return
	}
	if err == nil {
		err = l.unfit(maxEnvelope)
	}
	if err != nil {
		c.unfit(from, err)
		return
	}
	c.fetch(ctx, from, l, func(content []byte) error {
		s, err := readBundle(content, c.ref.Digest)
		if err != nil {
			return err
		}
		c.add(ctx, s)
		return nil
	})
}
