package proof

import (
	"fmt"
	"net/url"
)

// SignaturePredicateType is what a verified statement must say of itself to count as a signature of the image: all
// others are attestations (https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md).
const SignaturePredicateType = "https://sigstore.dev/cosign/sign/v1"

// The predicate types that cosign has short names for.
const (
	typeVulnerabilities = "https://cosign.sigstore.dev/attestation/vuln/v1"
	typeCustom          = "https://cosign.sigstore.dev/attestation/v1"
	typeProvenance02    = "https://slsa.dev/provenance/v0.2"
	typeProvenance1     = "https://slsa.dev/provenance/v1"
	typeSPDX            = "https://spdx.dev/Document"
	typeCycloneDX       = "https://cyclonedx.org/bom"
	typeLink            = "https://in-toto.io/Link/v1"
	typeOpenVEX         = "https://openvex.dev/ns"
)

// shortName returns the URI that cosign means by a short name (cosign attest --type).
func shortName(name string) (uri string, known bool) {
	switch name {
	case "slsaprovenance", "slsaprovenance02":
		return typeProvenance02, true
	case "slsaprovenance1":
		return typeProvenance1, true
	case "vuln":
		return typeVulnerabilities, true
	case "spdx", "spdxjson":
		return typeSPDX, true
	case "cyclonedx":
		return typeCycloneDX, true
	case "link":
		return typeLink, true
	case "openvex":
		return typeOpenVEX, true
	case "custom":
		return typeCustom, true
	}
	return "", false
}

// predicateTypeURI reads spec.attestations[].predicateType.
func predicateTypeURI(text string) (string, error) {
	if uri, known := shortName(text); known {
		return uri, nil
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil, parsed.Scheme == "":
		return "", fmt.Errorf("%q is neither a URI nor one of cosign's short names: slsaprovenance, slsaprovenance02, slsaprovenance1, vuln, spdx, spdxjson, cyclonedx, link, openvex, custom", text)
	case text == SignaturePredicateType:
		return "", fmt.Errorf("%q is that of signatures, not of attestations", text)
	}
	return text, nil
}
