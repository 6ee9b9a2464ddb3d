package policy

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// automountPrefix begins the names of the volumes that the API server itself adds to Pods which do not refuse a
// token. Refusing it is all that their author can do, so that such a volume is no second violation.
const automountPrefix = "kube-api-access-"

// clientSignerPrefix begins the names of the built-in signers whose certificates the API server takes as credentials.
const clientSignerPrefix = "kubernetes.io/kube-apiserver-client"

// defaultServiceAccount is the one that every namespace has.
const defaultServiceAccount = "default"

// serviceAccountTokenCheck refuses tokens for the API server to pods that have no need of one.
func serviceAccountTokenCheck() Check {
	return Check{
		ID: RuleServiceAccountToken,
		Asked: func(rules v1alpha1.Rules) bool {
			return rules.ServiceAccount != nil && rules.ServiceAccount.Token != v1alpha1.TokenAllow
		},
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.ServiceAccount.Enforcement },
		Doc:         serviceAccountTokenDoc(),
		Compile:     judged(judgeServiceAccountToken),
	}
}

func judgeServiceAccountToken(in Input) []Violation {
	spec := &in.Subject.Spec
	// The older name of the field counts where the newer one is empty, as for the API server.
	account := cmp.Or(spec.ServiceAccountName, spec.DeprecatedServiceAccount, defaultServiceAccount)
	// Any other value than DenyDefault is taken as Deny: a typing error opens nothing.
	if in.Rules.ServiceAccount.Token == v1alpha1.TokenDenyDefault && account != defaultServiceAccount {
		return nil
	}
	var violations []Violation
	if automount := spec.AutomountServiceAccountToken; automount == nil || *automount {
		message := "must set automountServiceAccountToken: false, pods get no token for the API server here"
		if in.Rules.ServiceAccount.Token == v1alpha1.TokenDenyDefault {
			message = "must set automountServiceAccountToken: false, or name a service account of its own: pods of the service account \"default\" get no token for the API server here"
		}
		violations = append(violations, Violation{Rule: RuleServiceAccountToken, Field: in.Subject.Field("spec.automountServiceAccountToken"), Message: message})
	}
	automounted := len(violations) > 0
	for i := range spec.Volumes {
		if automounted && strings.HasPrefix(spec.Volumes[i].Name, automountPrefix) {
			continue
		}
		violations = append(violations, judgeTokenVolume(in.Subject, i, &spec.Volumes[i])...)
	}
	return violations
}

// judgeTokenVolume finds the tokens that a volume brings, of any audience, and the certificates that the API server
// takes in their place.
func judgeTokenVolume(subject *Subject, index int, volume *corev1.Volume) []Violation {
	if volume.Projected == nil {
		return nil
	}
	var violations []Violation
	for i := range volume.Projected.Sources {
		source := &volume.Projected.Sources[i]
		if certificate := source.PodCertificate; certificate != nil && strings.HasPrefix(certificate.SignerName, clientSignerPrefix) {
			violations = append(violations, Violation{
				Rule:    RuleServiceAccountToken,
				Field:   subject.Field(fmt.Sprintf("spec.volumes[%d].projected.sources[%d].podCertificate", index, i)),
				Message: fmt.Sprintf("volume %q must not mount a client certificate for the API server: remove this source", volume.Name),
			})
		}
		if source.ServiceAccountToken == nil {
			continue
		}
		violations = append(violations, Violation{
			Rule:    RuleServiceAccountToken,
			Field:   subject.Field(fmt.Sprintf("spec.volumes[%d].projected.sources[%d].serviceAccountToken", index, i)),
			Message: fmt.Sprintf("volume %q must not mount a service account token: remove this source", volume.Name),
		})
	}
	return violations
}

func serviceAccountTokenDoc() Doc {
	return Doc{
		Setting: "serviceAccount.token",
		Summary: "Which pods may get a token for the API server.",
		Allows: `With ` + "`Deny`" + `, pods that set ` + "`automountServiceAccountToken: false`" + ` and mount no token by a projected volume.
With ` + "`DenyDefault`" + ` these, and all pods whose service account is another than ` + "`default`" + `. With ` + "`Allow`" + ` all.`,
		Denies: `Pods that leave ` + "`automountServiceAccountToken`" + ` unset or true, also where their ServiceAccount says false (whoever changes that object would change the pods), and projected volumes with a source ` + "`serviceAccountToken`" + ` of any audience or a source ` + "`podCertificate`" + ` of a signer ` + "`kubernetes.io/kube-apiserver-client*`" + `, whose certificates the API server takes as credentials.`,
		Fix:    "Set `automountServiceAccountToken: false` in the pod template. A program that does talk to the API server needs a service account of its own under `DenyDefault`, or an Exemption under `Deny`.",
		Notes:  "Secrets of the type `kubernetes.io/service-account-token` that a pod mounts by name are not seen by this rule: do not create them.",
		Example: `serviceAccount:
  token: DenyDefault                # Allow | DenyDefault | Deny
`,
	}
}
