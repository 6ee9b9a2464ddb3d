package verification

import (
	"encoding/json"
	"errors"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

const (
	// maxPayload bounds what is signed in a .sig tag, in bytes. It has a few hundred.
	maxPayload = 64 << 10
	// maxEnvelope bounds an attestation or a bundle, in bytes.
	maxEnvelope = 16 << 20
	// small is the size up to which content is always read, and maxLarge bounds what is larger, of one image in all.
	// Signatures have some KiB, the lists of a large image's contents some MiB. Both in bytes.
	small    = 1 << 20
	maxLarge = 64 << 20
	// maxLayers of one kind under a .sig or .att tag that are tried, the newest first.
	maxLayers = 256
	// maxReferrers of one kind that are tried.
	maxReferrers = 256
	// maxWitnesses is how many log entries, and how many time stamps, one signature may have; maxWitness bounds each, in
	// bytes. They have some KiB.
	maxWitnesses = 8
	maxWitness   = 16 << 10
	// maxCertificate bounds a certificate, maxAnnotation a layer's log entry, time stamp or certificate, in bytes, and
	// maxAnnotated the elements of such JSON. They have some KiB.
	maxCertificate = 64 << 10
	maxAnnotation  = 64 << 10
	maxAnnotated   = 1_000
	// maxChain is how many certificates stand beside one another in a bundle.
	maxChain = 16
	// maxSignatures of one attestation's envelope that are tried.
	maxSignatures = 8
)

// manifest is the part of an image manifest that is of use here.
type manifest struct {
	Layers []layer `json:"layers"`
}

// layer is one signature, attestation or bundle.
type layer struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	URLs        []string          `json:"urls"`
	Annotations map[string]string `json:"annotations"`
}

func readManifest(raw []byte) (manifest, error) {
	if err := checkStructure(raw, maxListed); err != nil {
		return manifest{}, err
	}
	var read manifest
	if err := json.Unmarshal(raw, &read); err != nil {
		return manifest{}, err
	}
	return read, nil
}

// unfit says why a layer is not fetched, whatever it is; nil if it is. Content that lies elsewhere would send us to
// hosts of a stranger's choice.
func (l layer) unfit(limit int64) error {
	switch {
	case len(l.URLs) > 0:
		return errors.New("its content lies outside of the registry")
	case l.Size <= 0 || !image.ValidDigest(l.Digest):
		return errors.New("its descriptor is broken")
	case l.Size > limit:
		return errTooLarge
	}
	return nil
}
