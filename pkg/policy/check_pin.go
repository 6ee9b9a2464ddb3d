package policy

import (
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// EffectivePin is where tags are replaced by digests under some rules: what rules.images says, and in
// Pods wherever signatures are required, because what was verified must be what runs.
func EffectivePin(rules v1alpha1.Rules) v1alpha1.Pin {
	if rules.Images == nil {
		if rules.Signatures != nil {
			return v1alpha1.PinPods
		}
		return v1alpha1.PinNever
	}
	if rules.Images.Pin == "" || (rules.Signatures != nil && rules.Images.Pin == v1alpha1.PinNever) {
		return v1alpha1.PinPods
	}
	return rules.Images.Pin
}

// imagesEnforcement is the degree of all rules of rules.images.
func imagesEnforcement(rules v1alpha1.Rules) v1alpha1.Enforcement {
	if rules.Images == nil {
		return ""
	}
	return rules.Images.Enforcement
}

// pinCheck refuses Pods, and where Pin is Workloads pod templates too, with an image that is not named by
// digest: the mutating side pins them, so such an object came past it or its tag could not be resolved.
func pinCheck() Check {
	return Check{
		ID:          RulePin,
		Asked:       func(rules v1alpha1.Rules) bool { return EffectivePin(rules) != v1alpha1.PinNever },
		Enforcement: imagesEnforcement,
		Doc:         pinDoc(),
		Compile: judged(func(in Input) []Violation {
			if !in.Subject.IsPod() && EffectivePin(in.Rules) != v1alpha1.PinWorkloads {
				return nil
			}
			var violations []Violation
			for _, slot := range in.Subject.UnsettledImages() {
				// What has not passed the mutating side yet will be pinned there, if it can be read.
				if ref, err := image.Parse(slot.Image); err == nil && (ref.Digest != "" || in.Arriving) {
					continue
				}
				message := fmt.Sprintf("image %q of %s must be named by its digest (@sha256:…)", slot.Image, slot.Owner)
				switch cause := in.Facts.Images[slot.Image].Cause; {
				case cause == "":
				case in.Rules.Signatures == nil:
					message += ", which could not be found out: " + cause
				default: // that check tells the cause
					message += ", which could not be found out"
				}
				violations = append(violations, Violation{Rule: RulePin, Field: slot.Field, Message: message})
			}
			return violations
		}),
	}
}

func pinDoc() Doc {
	return Doc{
		Setting: "images.pin",
		Summary: "Images are named by their digest, so that what was judged is what runs.",
		Kinds:   "Pods; with `Workloads` all kinds",
		Allows: `Images with a digest (` + "`web:v1@sha256:…`" + `; the tag beside it is for people). With ` + "`Pods`" + `, the default of ` + "`rules.images`" + `, admission writes the digest of a tag into Pods and workloads keep their tags;
with ` + "`Workloads`" + ` it writes digests into pod templates too; a tag that stays
keeps its digest, so that applying a manifest again rolls out nothing: for what a moved tag names, write a new tag.
With ` + "`Never`" + ` references stay as they are.`,
		Denies: "Images whose digest could not be found out, because the registry has no such tag or cannot be reached, and references that cannot be read.",
		Fix:    "Push the tag, or name the digest yourself: `crane digest registry.example.com/web:v1.4.2` prints it. Where the message names a cause, mend that: credentials, the network, a typing error.",
		Notes: `An environment with the rule signatures always pins, in Pods at least. A tag in a file that ` + "`kubectl rune check`" + ` reads is no violation where admission will pin it.
A template that the workload has run before is not pinned anew, so that a rollback stays the same template.`,
		Example: `images:
  pin: Workloads                    # Never | Pods | Workloads
`,
	}
}
