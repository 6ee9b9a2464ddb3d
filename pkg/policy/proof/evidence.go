package proof

import (
	"encoding/json"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Evidence is what was verified of one digest for the authorities and predicate types of one Requirement.
type Evidence struct {
	// Digest that all of it is about ("sha256:…").
	Digest string `json:"digest"`
	// CollectedAt is when the registry was asked.
	CollectedAt time.Time `json:"collectedAt"`
	// Signatures of the image itself that were verified.
	Signatures []Signature `json:"signatures,omitempty"`
	// Attestations that were verified, of the predicate types that the Requirement asks for.
	Attestations []Attestation `json:"attestations,omitempty"`
	// Rejected is what lay beside the image and did not count, sorted and bounded.
	Rejected []Rejection `json:"rejected,omitempty"`
}

// Signature is one that was verified.
type Signature struct {
	// Authority of the policy that it satisfies, by name.
	Authority string `json:"authority"`
	// Signer is who signed, independent of the authority's name: the key's SHA-256 or the certificate's issuer and
	// subject. Distinct authorities are counted by it.
	Signer string `json:"signer"`
	// Format in which it was found.
	Format v1alpha1.SignatureFormat `json:"format"`
	// Time of signing by a trusted witness (transparency log, RFC 3161); zero where there is none.
	Time time.Time `json:"time,omitzero"`
}

// Attestation is a statement about the digest whose signature was verified.
type Attestation struct {
	Signature
	// PredicateType as it stands in the signed statement, never as an annotation claims.
	PredicateType string `json:"predicateType"`
	// Predicate is the part of it that the Requirement looks at (Requirement.Project).
	Predicate json.RawMessage `json:"predicate,omitempty"`
	// Unreadable says why its predicate cannot be judged; empty where it can. It is kept all the same, with its time: else
	// an older one would stand in for it.
	Unreadable string `json:"unreadable,omitempty"`
}

// Rejection is something that lay beside the image and did not count.
type Rejection struct {
	Format v1alpha1.SignatureFormat `json:"format"`
	// PredicateType where it is an attestation that could be read so far.
	PredicateType string `json:"predicateType,omitempty"`
	// Authority by which it was tried; empty where it is about all.
	Authority string `json:"authority,omitempty"`
	// Reason in words: "signed by another key", "is for another image".
	Reason string `json:"reason"`
	// Incomplete tells that the reason is that not all was looked at. It is told before others.
	Incomplete bool `json:"incomplete,omitempty"`
}
