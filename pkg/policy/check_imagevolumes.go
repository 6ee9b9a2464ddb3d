package policy

import (
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// imageVolumesCheck refuses volumes whose content is an image (KEP-4639).
func imageVolumesCheck() Check {
	return Check{
		ID: RuleImageVolumes,
		Asked: func(rules v1alpha1.Rules) bool {
			return rules.Images != nil && rules.Images.Volumes == v1alpha1.PermissionDeny
		},
		Enforcement: imagesEnforcement,
		Doc:         imageVolumesDoc(),
		Compile: judged(func(in Input) []Violation {
			var violations []Violation
			for i := range in.Subject.Spec.Volumes {
				volume := &in.Subject.Spec.Volumes[i]
				if volume.Image == nil {
					continue
				}
				field := in.Subject.Field(fmt.Sprintf("spec.volumes[%d].image", i))
				if in.Subject.Settled[field+".reference"] {
					continue
				}
				violations = append(violations, Violation{Rule: RuleImageVolumes, Field: field, Message: fmt.Sprintf(
					"volume %q mounts image %q, and image volumes are denied: copy the files into the image of the container that reads them", volume.Name, volume.Image.Reference)})
			}
			return violations
		}),
	}
}

func imageVolumesDoc() Doc {
	return Doc{
		Setting: "images.volumes",
		Summary: "Whether pods may mount images as volumes.",
		Allows:  "With `Allow`, the default, image volumes like any other; their images are judged by all rules about images. With `Deny`, every other kind of volume.",
		Denies:  "With `Deny`, every volume with a source `image`.",
		Fix:     "Copy the files into the image of the container that reads them, or bring them with a ConfigMap, a PersistentVolume or an init container.",
		Example: `images:
  volumes: Deny
`,
	}
}
