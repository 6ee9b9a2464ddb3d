package proof

import (
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Question is what an admission, a check or an audit asks about one image.
type Question struct {
	// Image by digest; a tag beside it is ignored.
	Image image.Reference
	// Requirement that the image must satisfy.
	Requirement *Requirement
	// Access to the image's registry.
	Access image.Access
	// Environment that asks.
	Environment string
	// Now is the time of the judgement.
	Now time.Time
}

// Finding answers a Question: satisfied or definitely not. That nobody could tell is an error instead.
type Finding struct {
	Evidence Evidence
	Outcome  Outcome
	// Stale says why older evidence than usual was used: the registry fails. Empty where the evidence is fresh.
	Stale string
}

// Outcome is the judgement of Evidence by a Requirement at one time.
type Outcome struct {
	// Satisfied tells whether all is there that the ImagePolicy asks.
	Satisfied bool `json:"satisfied"`
	// Authorities of the policy in its order, with what each signed.
	Authorities []AuthorityOutcome `json:"authorities,omitempty"`
	// Attestations that the policy asks, in its order.
	Attestations []AttestationOutcome `json:"attestations,omitempty"`
	// Reasons why the Requirement is not satisfied, in words and in the order of the policy; none where it is.
	Reasons []string `json:"reasons,omitempty"`
}

// AuthorityOutcome says whether an authority signed the image.
type AuthorityOutcome struct {
	Name   string `json:"name"`
	Signed bool   `json:"signed"`
	// Signature that counted, where one did.
	Signature *Signature `json:"signature,omitempty"`
	// Reason why none counts.
	Reason string `json:"reason,omitempty"`
}

// AttestationOutcome says whether an attestation is there and holds.
type AttestationOutcome struct {
	Name          string `json:"name"`
	PredicateType string `json:"predicateType"`
	Satisfied     bool   `json:"satisfied"`
	// Signature of the attestation that was judged, where there is one.
	Signature *Signature `json:"signature,omitempty"`
	// Time of the attestation, by which its age is judged.
	Time time.Time `json:"time,omitzero"`
	// Reasons why it does not hold: missing, too old, by which conditions.
	Reasons []string `json:"reasons,omitempty"`
}
