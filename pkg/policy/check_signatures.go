package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// signaturesCheck requires that every image satisfies the ImagePolicies of the environment.
func signaturesCheck() Check {
	return Check{
		ID:          RuleSignatures,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Signatures != nil },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.Signatures.Enforcement },
		Doc:         signaturesDoc(),
		Compile: judged(func(in Input) []Violation {
			var violations []Violation
			for _, slot := range in.Subject.UnsettledImages() {
				fact := in.Facts.Images[slot.Image]
				for _, message := range signatureMessages(slot.Image, fact) {
					violations = append(violations, Violation{Rule: RuleSignatures, Field: slot.Field, Message: message})
				}
			}
			return violations
		}),
	}
}

// signatureMessages has one for each ImagePolicy that is not satisfied, or one for all.
func signatureMessages(reference string, fact ImageFact) []string {
	if fact.Signature == SignatureVerified {
		return nil
	}
	if len(fact.Unsatisfied) == 0 {
		return []string{signatureMessage(reference, PolicyFact{Signature: fact.Signature, Reasons: []string{fact.Cause}})}
	}
	messages := make([]string, len(fact.Unsatisfied))
	for i, unsatisfied := range fact.Unsatisfied {
		messages[i] = signatureMessage(reference, unsatisfied)
	}
	// A registry that fails is told once, not once for each policy.
	slices.Sort(messages)
	return slices.Compact(messages)
}

// signatureMessage tells apart what a person mends in different ways: sign it, push it, name it in a
// policy, or wait for the registry.
func signatureMessage(reference string, fact PolicyFact) string {
	reasons := strings.Join(slices.DeleteFunc(slices.Clone(fact.Reasons), func(reason string) bool { return reason == "" }), "; ")
	switch fact.Signature {
	case SignatureRejected:
		return fmt.Sprintf("image %q does not satisfy ImagePolicy %q: %s", reference, fact.Policy, reasons)
	case SignatureNoPolicy:
		return fmt.Sprintf("image %q is covered by no ImagePolicy of this environment, so no signature could make it trusted", reference)
	case SignatureNoImage:
		return fmt.Sprintf("image %q does not exist: %s", reference, reasons)
	default:
		if reasons == "" {
			reasons = "nobody asked its registry"
		}
		return fmt.Sprintf("the signature of image %q could not be checked: %s", reference, reasons)
	}
}

func signaturesDoc() Doc {
	return Doc{
		Setting:      "signatures",
		AsksRegistry: true,
		Summary:      "Every image satisfies the ImagePolicies of the environment.",
		Allows: "Images whose digest satisfies every ImagePolicy that names the environment and covers the image: signed by the authorities that the policy asks for, with the attestations it asks for. " +
			"Who signed is counted by key or certificate identity, so one key under two names counts once. Ages and conditions of attestations, and the end of a key's time, are judged anew at every admission. " +
			"While its registry is down, a digest that was verified before stays admissible for as long as the ImagePolicy's `cache` says, with a warning.",
		Denies: "Images that too few authorities signed, whose attestations are missing, too old or do not meet a condition, that no ImagePolicy covers, that do not exist, and those of which nobody could tell. The messages tell these apart. Init containers, sidecars, ephemeral containers and image volumes are images too.",
		Fix:    "Ask `kubectl rune verify IMAGE` what is missing, by policy and authority. Sign the digest with a key or identity that the ImagePolicy names: `cosign sign registry.example.com/web@sha256:…`; attest it with `cosign attest --type TYPE --predicate FILE`. Where no ImagePolicy covers the image, add it to one. Where the registry could not be asked, try again.",
		Notes:  "Needs `images.pin` other than `Never`: what was verified must be what runs. An image that the same Pod runs already is not judged again when the Pod is updated. An attestation is never a signature of the image, whoever signed it.",
		Example: `signatures: {}
`,
	}
}
