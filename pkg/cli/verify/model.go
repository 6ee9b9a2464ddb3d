package verify

import (
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// Kind of the document that the structured formats hold; its apiVersion is that of Rune's objects.
const Kind = "Verification"

// Result of a verification.
type Result string

// The results. Of several things the one that stands last here counts for the whole, so that 0 is the exit code only
// where everything is satisfied.
const (
	// Satisfied: all is there that is asked.
	Satisfied Result = "Satisfied"
	// NotSatisfied: the registry answered, and something is not there, or does not hold.
	NotSatisfied Result = "NotSatisfied"
	// NoPolicy: no ImagePolicy covers the image.
	NoPolicy Result = "NoPolicy"
	// NoImage: the registry answered that it has no such image.
	NoImage Result = "NoImage"
	// Unknown: nobody could tell.
	Unknown Result = "Unknown"
)

// rank orders results by which counts for the whole.
func (r Result) rank() int {
	switch r {
	case Satisfied:
		return 0
	case NotSatisfied:
		return 1
	case NoPolicy:
		return 2
	case NoImage:
		return 3
	}
	return 4
}

// worse returns the result that counts for both.
func worse(a, b Result) Result {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// Enforcement says what an environment does about images that do not satisfy its ImagePolicies.
type Enforcement string

// The degrees beside v1alpha1's Enforce, Warn and Audit.
const (
	// NotAsked: the environment has no rule signatures.
	NotAsked Enforcement = "NotAsked"
	// NoEnvironment: policies name an Environment that was not found.
	NoEnvironment Enforcement = "NoEnvironment"
)

// Report is the answer about all images.
type Report struct {
	APIVersion string  `json:"apiVersion"`
	Kind       string  `json:"kind"`
	Summary    Summary `json:"summary"`
	Images     []Image `json:"images"`
}

// Summary counts images by result.
type Summary struct {
	Images       int `json:"images"`
	Satisfied    int `json:"satisfied"`
	NotSatisfied int `json:"notSatisfied"`
	NoPolicy     int `json:"noPolicy"`
	NoImage      int `json:"noImage"`
	Unknown      int `json:"unknown"`
}

// Image is the answer about one.
type Image struct {
	// Image as it was typed.
	Image string `json:"image"`
	// Reference is its normal form: docker.io spelled out, the registry in lower case, a tag or a digest.
	Reference string `json:"reference,omitempty"`
	// Digest that was judged; of a tag what it names now.
	Digest string `json:"digest,omitempty"`
	Result Result `json:"result"`
	// Error says why nothing could be judged at all.
	Error string `json:"error,omitempty"`
	// Stale says why an earlier answer was used: the registry fails.
	Stale string `json:"stale,omitempty"`
	// Environments by name.
	Environments []Environment `json:"environments"`
	// Uncovered environments ask for signatures, and have no ImagePolicy that covers the image.
	Uncovered []Uncovered `json:"uncovered,omitempty"`
	// Next says what to do about what is not satisfied.
	Next []Step `json:"next,omitempty"`
}

// Environment is the answer for one environment.
type Environment struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	// Enforcement is what the environment does about it: Enforce, Warn, Audit, NotAsked or NoEnvironment.
	Enforcement Enforcement `json:"enforcement"`
	// Policies that cover the image, by name.
	Policies []Policy `json:"policies,omitempty"`
}

// Uncovered is an environment in which nothing could make an image trusted.
type Uncovered struct {
	Name        string      `json:"name"`
	Enforcement Enforcement `json:"enforcement"`
}

// Policy is the answer of one ImagePolicy.
type Policy struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	// Require and AtLeast say how many of the authorities must have signed.
	Require v1alpha1.SignatureRequirement `json:"require,omitempty"`
	AtLeast int32                         `json:"atLeast,omitempty"`
	// Error says why nobody could tell, or that the image does not exist.
	Error string `json:"error,omitempty"`
	// Stale says why older evidence than usual was used: the registry fails.
	Stale string `json:"stale,omitempty"`
	// CollectedAt is when the registry was asked for what was judged.
	CollectedAt time.Time `json:"collectedAt,omitzero"`
	// Reasons why the policy is not satisfied.
	Reasons []string `json:"reasons,omitempty"`
	// Authorities of the policy, in its order.
	Authorities []Authority `json:"authorities,omitempty"`
	// Attestations that the policy asks for, in its order.
	Attestations []proof.AttestationOutcome `json:"attestations,omitempty"`
	// Rejected is what lay beside the image and did not count.
	Rejected []proof.Rejection `json:"rejected,omitempty"`

	// source is what the user wrote; for advice.
	source *v1alpha1.ImagePolicy
}

// Authority is the answer about one authority.
type Authority struct {
	proof.AuthorityOutcome `json:",inline"`
	// Trusts says what the policy trusts: Key or Keyless.
	Trusts string `json:"trusts"`
}

// counts tells whether the authority is one of those that signed: one may have signed by a key that counts for another.
func (a *Authority) counts() bool { return a.Signed && a.Reason == "" }

// What an authority trusts.
const (
	trustsKey     = "Key"
	trustsKeyless = "Keyless"
)

// Step is something to do.
type Step struct {
	// What to do, in words.
	Text string `json:"text"`
	// Command that does it, with what to fill in in upper case; may be empty.
	Command string `json:"command,omitempty"`
}

// summary counts.
func summary(images []Image) Summary {
	s := Summary{Images: len(images)}
	for i := range images {
		switch images[i].Result {
		case Satisfied:
			s.Satisfied++
		case NotSatisfied:
			s.NotSatisfied++
		case NoPolicy:
			s.NoPolicy++
		case NoImage:
			s.NoImage++
		default:
			s.Unknown++
		}
	}
	return s
}
