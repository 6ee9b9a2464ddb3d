package proof

import (
	"bytes"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// maxClockSkew is how far ahead of the judgement a time may lie; beyond it counts as none.
const maxClockSkew = 5 * time.Minute

// timePath is where a predicate of a type says when it was made; nil where none does.
func timePath(uri string) []string {
	switch uri {
	case typeVulnerabilities: // https://github.com/sigstore/cosign/blob/main/specs/COSIGN_VULN_ATTESTATION_SPEC.md
		return []string{"metadata", "scanFinishedOn"}
	case typeProvenance02: // https://slsa.dev/spec/v0.2/provenance
		return []string{"metadata", "buildFinishedOn"}
	case typeProvenance1: // https://slsa.dev/spec/v1.0/provenance
		return []string{"runDetails", "metadata", "finishedOn"}
	case typeSPDX, typeSPDX + "/v2.2", typeSPDX + "/v2.3": // with a version as GitHub's attestations write it
		return []string{"creationInfo", "created"}
	case typeCycloneDX:
		return []string{"metadata", "timestamp"}
	case typeCustom: // `cosign attest --type custom` adds it
		return []string{"Timestamp"}
	}
	return nil
}

// Made returns when an attestation was made, by which its age is judged and the newest is found: the time of a trusted
// witness, or what the predicate says of itself. It is zero where there is none. Whoever may push can have what a key
// signed long ago witnessed once more, so that of a key's attestation the earlier of the two counts; a certificate lives
// for minutes.
func (a *Attestation) Made(byKey bool) time.Time {
	at := a.Time
	if at.IsZero() || byKey {
		own := predicateTime(a.Predicate, timePath(a.PredicateType))
		if at.IsZero() || (!own.IsZero() && own.Before(at)) {
			at = own
		}
	}
	return at
}

// Ahead tells whether a time lies so far ahead of a judgement that it counts as none.
func Ahead(at, now time.Time) bool { return at.After(now.Add(maxClockSkew)) }

// attestationTime returns the time by which an attestation is judged; zero where there is none.
func attestationTime(attestation *Attestation, byKey bool, now time.Time) time.Time {
	if at := attestation.Made(byKey); !Ahead(at, now) {
		return at
	}
	return time.Time{}
}

// predicateTime reads an RFC 3339 time at a path; zero where there is none.
func predicateTime(predicate []byte, path []string) time.Time {
	if len(path) == 0 {
		return time.Time{}
	}
	for _, key := range path {
		if rawjson.Kind(predicate) != '{' {
			return time.Time{}
		}
		var value []byte
		for name, place := range rawjson.Members(predicate) {
			if name == key {
				value = predicate[place.Start:place.End]
			}
		}
		predicate = value
	}
	if rawjson.Kind(predicate) != '"' {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, rawjson.Text(bytes.TrimSpace(predicate)))
	if err != nil {
		return time.Time{}
	}
	return at
}
