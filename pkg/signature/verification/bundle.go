package verification

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	sigstore "github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

const (
	// bundleType begins the media types of Sigstore bundles.
	bundleType = "application/vnd.dev.sigstore.bundle"
	// emptyType is the artifact type of those who give none.
	// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
	emptyType = "application/vnd.oci.empty.v1+json"
	// annotationBundlePredicate says what a bundle's statement is about, if it does not lie.
	annotationBundlePredicate = "dev.sigstore.bundle.predicateType"
	// maxHinted is the size up to which a statement is looked into for a message's sake only, in bytes.
	maxHinted = 1 << 20
)

// kind of a referrer, as far as its descriptor tells.
type kind struct {
	// hint is the predicate type that it says; empty where it says none.
	hint string
	// certain tells that it says that it is a bundle.
	certain bool
}

// unhinted is how many kinds there are beside those of the wanted predicate types: signatures that nobody asks for,
// bundles that say no type, and what says nothing at all.
const unhinted = 3

// kindOf tells from a referrer's descriptor whether it may be a bundle of one of the wanted predicate types. It may be
// wrong both ways, so that it only decides what is fetched.
func kindOf(d registry.Descriptor, wanted func(string) bool) (of kind, possible bool) {
	hint := d.Annotations[annotationBundlePredicate]
	if !saysNothing(hint) && !wanted(hint) {
		return kind{}, false
	}
	if strings.HasPrefix(d.ArtifactType, bundleType) {
		return kind{hint: hint, certain: true}, true
	}
	// Registries that report the type of the configuration call cosign's bundles empty. The annotation tells them
	// from the many others that such a registry calls so.
	untyped := d.ArtifactType == "" || d.ArtifactType == emptyType
	return kind{hint: hint, certain: hint != ""}, untyped
}

// choice keeps the referrers that may be bundles, a bounded number of each kind, so that none crowds out another.
type choice struct {
	wanted func(string) bool
	kinds  map[string]kind
	count  map[kind]int
	// more are the kinds of which there were more than are kept.
	more map[kind]bool
}

func newChoice(wanted func(string) bool) *choice {
	return &choice{wanted: wanted, kinds: map[string]kind{}, count: map[kind]int{}, more: map[kind]bool{}}
}

// keep gives the same answer if it is asked again, as it is where a registry is.
func (c *choice) keep(d registry.Descriptor) bool {
	of, possible := kindOf(d, c.wanted)
	if !possible {
		return false
	}
	if _, again := c.kinds[d.Digest]; again {
		return true
	}
	if c.count[of] == maxReferrers {
		c.more[of] = true
		return false
	}
	c.count[of]++
	c.kinds[d.Digest] = of
	return true
}

// bundleLayer finds the one layer of a referrer in which a bundle lies.
func bundleLayer(m manifest) (layer, error) {
	if len(m.Layers) != 1 || !strings.HasPrefix(m.Layers[0].MediaType, bundleType) {
		return layer{}, errNoBundle
	}
	return m.Layers[0], nil
}

// errNoBundle is not worth telling of a referrer that never said that it is a bundle.
var errNoBundle = errors.New("it is no Sigstore bundle")

// readBundle reads a bundle with a statement.
func readBundle(raw []byte, digest string) (*signed, error) {
	if err := checkStructure(raw, maxElements); err != nil {
		return nil, fmt.Errorf("its bundle cannot be read: %w", err)
	}
	message := &protobundle.Bundle{}
	if err := protojson.Unmarshal(raw, message); err != nil {
		return nil, fmt.Errorf("its bundle cannot be read: %w", err)
	}
	if err := checkWitnesses(message.GetVerificationMaterial()); err != nil {
		return nil, err
	}
	b, err := sigstore.NewBundle(message)
	if err != nil {
		return nil, fmt.Errorf("its bundle cannot be read: %w", err)
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil {
		return nil, errors.New("its bundle holds no in-toto statement")
	}
	if envelope.GetPayloadType() != statementPayload {
		return nil, fmt.Errorf("its payload is of type %s and no in-toto statement", quote(envelope.GetPayloadType()))
	}
	if len(envelope.GetSignatures()) != 1 || len(envelope.GetSignatures()[0].GetSig()) == 0 {
		return nil, fmt.Errorf("its bundle has %d signatures, and not 1", len(envelope.GetSignatures()))
	}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, fmt.Errorf("its bundle cannot be read: %w", err)
	}
	stamps, err := b.Timestamps()
	if err != nil {
		return nil, fmt.Errorf("its bundle cannot be read: %w", err)
	}
	payload, signature := envelope.GetPayload(), envelope.GetSignatures()[0].GetSig()
	return &signed{
		format:      v1alpha1.FormatBundle,
		hint:        hintOf(payload),
		message:     signedMessage(payload),
		signature:   signature,
		stamped:     signature,
		certificate: content.Certificate(),
		entries:     b.TlogEntries,
		stamps:      stamps,
		claim:       func() (claim, error) { return readStatement(payload, digest) },
		digest:      digest,
		entity:      b,
	}, nil
}

// checkWitnesses bounds what libraries read, and verify by the keys that stand in it, before anybody is trusted.
func checkWitnesses(material *protobundle.VerificationMaterial) error {
	stamps := material.GetTimestampVerificationData().GetRfc3161Timestamps()
	if len(material.GetTlogEntries()) > maxWitnesses || len(stamps) > maxWitnesses {
		return fmt.Errorf("its bundle has more than %d log entries or time stamps", maxWitnesses)
	}
	for _, entry := range material.GetTlogEntries() {
		if len(entry.GetCanonicalizedBody()) > maxWitness {
			return errLongWitness
		}
	}
	for _, stamp := range stamps {
		if len(stamp.GetSignedTimestamp()) > maxWitness {
			return errLongWitness
		}
	}
	chain := material.GetX509CertificateChain().GetCertificates()
	if len(chain) > maxChain {
		return fmt.Errorf("its bundle has more than %d certificates", maxChain)
	}
	for _, certificate := range append(chain[:len(chain):len(chain)], material.GetCertificate()) {
		if len(certificate.GetRawBytes()) > maxCertificate {
			return errors.New("its certificate is too large to be read")
		}
	}
	return nil
}

// errLongWitness says that something is not worth reading.
var errLongWitness = errors.New("its log entry or time stamp is too large to be read")

// hintOf is the predicate type that a statement says before anything of it is verified; empty where it says none.
func hintOf(statement []byte) string {
	var said struct {
		PredicateType string `json:"predicateType"`
	}
	if len(statement) > maxHinted || json.Unmarshal(statement, &said) != nil {
		return ""
	}
	return said.PredicateType
}
