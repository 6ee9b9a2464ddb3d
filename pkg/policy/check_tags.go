package policy

import (
	"fmt"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// tagsCheck refuses images by tags that tell nothing about their content.
func tagsCheck() Check {
	return Check{
		ID:          RuleTags,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Images != nil && len(rules.Images.DenyTags) > 0 },
		Enforcement: imagesEnforcement,
		Doc:         tagsDoc(),
		Compile: judged(func(in Input) []Violation {
			var violations []Violation
			for _, slot := range in.Subject.UnsettledImages() {
				if message := tagMessage(slot, in.Rules.Images.DenyTags); message != "" {
					violations = append(violations, Violation{Rule: RuleTags, Field: slot.Field, Message: message})
				}
			}
			return violations
		}),
	}
}

// tagMessage says what is wrong with the tag of an image; empty if nothing is. A tag beside a digest counts too:
// people read it.
func tagMessage(slot ImageSlot, denied []string) string {
	ref, err := image.Parse(slot.Image)
	if err != nil {
		return fmt.Sprintf("the tag of the image of %s cannot be told: %v", slot.Owner, err)
	}
	if !slices.Contains(denied, ref.Tag) || ref.Tag == "" {
		return ""
	}
	return fmt.Sprintf("image %q of %s has the tag %q, which is denied: name a version or a digest", slot.Image, slot.Owner, ref.Tag)
}

func tagsDoc() Doc {
	return Doc{
		Setting: "images.denyTags",
		Summary: "No image has one of the listed tags.",
		Allows:  "Images with any other tag, and images that are named by their digest alone.",
		Denies:  "Images with a listed tag, with a digest beside it or not. An image without tag and digest has the tag `latest`. A reference that cannot be read is denied.",
		Fix:     "Name the version that you built: `registry.example.com/web:v1.4.2`. Tags are compared letter by letter; `Latest` is not `latest`.",
		Notes:   "An image that the same Pod runs already is not judged again when the Pod is updated.",
		Example: `images:
  denyTags: [latest, dev]
`,
	}
}
