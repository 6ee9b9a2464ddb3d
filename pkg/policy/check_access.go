package policy

import (
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// accessCheck requires that whoever changes a workload holds the RBAC verb deploy on the environment.
func accessCheck() Check {
	return Check{
		ID:          RuleAccess,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Access != nil },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.Access.Enforcement },
		Doc:         accessDoc(),
		Compile: judged(func(in Input) []Violation {
			fact := in.Facts.Access
			if fact != nil && (fact.Exempt != "" || fact.Allowed) {
				return nil
			}
			field := in.Subject.Field("spec")
			if in.Subject.TemplatePath != "" {
				field = in.Subject.TemplatePath
			}
			message := fmt.Sprintf("needs the RBAC verb %s on environments/%s, and nobody asked who may", v1alpha1.VerbDeploy, in.Environment)
			if fact != nil {
				message = fmt.Sprintf("user %q does not hold the RBAC verb %s on environments/%s: ask for it, and see `kubectl auth can-i %s environments/%s`",
					fact.User, v1alpha1.VerbDeploy, in.Environment, v1alpha1.VerbDeploy, in.Environment)
			}
			return []Violation{{Rule: RuleAccess, Field: field, Message: message}}
		}),
	}
}

func accessDoc() Doc {
	return Doc{
		Setting:       "access",
		AdmissionOnly: true,
		Summary:       "Only those who hold the RBAC verb `deploy` on the Environment change what runs in it.",
		Allows: `Requests of users and service accounts to whom RBAC grants the verb ` + "`deploy`" + ` on ` + "`environments.rune.runeframeos.com/NAME`" + `, and of the built-in controllers for what a judged owner asks for:
a ReplicaSet of a Deployment, a Pod of a ReplicaSet. Scaling alone is not asked.`,
		Denies: "Everybody else, also those who may edit Deployments in the namespace.",
		Fix: "`kubectl auth can-i deploy environments/production` tells whether you hold the right. Whoever administers the cluster grants it by a ClusterRole with " +
			"`apiGroups: [rune.runeframeos.com]`, `resources: [environments]`, `resourceNames: [production]`, `verbs: [deploy]`.",
		Notes: "No Exemption lifts this rule.",
		Example: `access: {}
`,
	}
}
