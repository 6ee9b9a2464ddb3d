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
				if fact.Signature == SignatureVerified {
					continue
				}
				violations = append(violations, Violation{Rule: RuleSignatures, Field: slot.Field, Message: signatureMessage(slot.Image, fact)})
			}
			return violations
		}),
	}
}

// signatureMessage tells apart what a person mends in different ways: sign it, push it, name it in a
// policy, or wait for the registry.
func signatureMessage(reference string, fact ImageFact) string {
	switch fact.Signature {
	case SignatureRejected:
		message := fmt.Sprintf("image %q is not signed by any authority of ImagePolicy %q (%s)", reference, fact.Policy, authorityList(fact.Authorities))
		if fact.Cause != "" {
			message += ": " + fact.Cause
		}
		return message
	case SignatureNoPolicy:
		return fmt.Sprintf("image %q is covered by no ImagePolicy of this environment, so no signature could make it trusted", reference)
	case SignatureNoImage:
		return fmt.Sprintf("image %q does not exist: %s", reference, fact.Cause)
	default:
		cause := fact.Cause
		if cause == "" {
			cause = "nobody asked its registry"
		}
		return fmt.Sprintf("the signature of image %q could not be checked: %s", reference, cause)
	}
}

func authorityList(names []string) string {
	sorted := slices.Sorted(slices.Values(names))
	for i, name := range sorted {
		sorted[i] = fmt.Sprintf("%q", name)
	}
	noun := "key"
	if len(sorted) != 1 {
		noun = "keys"
	}
	return noun + " " + strings.Join(sorted, ", ")
}

func signaturesDoc() Doc {
	return Doc{
		Setting:       "signatures",
		AdmissionOnly: true,
		Summary:       "Every image satisfies the ImagePolicies of the environment.",
		Allows:        "Images whose digest satisfies every ImagePolicy that names the environment and covers the image. A digest that was verified stays admissible while its registry is down.",
		Denies:        "Images that no trusted authority signed, that no ImagePolicy covers, that do not exist, and those of which nobody could tell. The messages tell these apart. Init containers, sidecars, ephemeral containers and image volumes are images too.",
		Fix:           "Sign the digest with a key or identity that the ImagePolicy names: `cosign sign registry.example.com/web@sha256:…`. Where no ImagePolicy covers the image, add it to one. Where the registry could not be asked, try again.",
		Notes:         "Needs `images.pin` other than `Never`: what was verified must be what runs. An image that the same Pod runs already is not judged again when the Pod is updated.",
		Example: `signatures: {}
`,
	}
}
