package v1alpha1

import "fmt"

// Annotations and labels that Rune reads or writes on objects of the user.
const (
	// AnnotationRelease names, on a workload, the Release that brings or brought its pod template.
	// It only points: admission believes nothing but the sealed Release and Approval behind it.
	AnnotationRelease = GroupName + "/release"
	// LabelRelease carries a Release's name on objects that Rune creates for it and removes after it.
	LabelRelease = GroupName + "/release"
	// LabelWorkload carries the workload's name on Releases and Approvals, for listing by selector.
	LabelWorkload = GroupName + "/workload"
)

// FieldManager is the one field manager under which Rune writes.
const FieldManager = "kubectl-rune"

// SystemNamespace is where `kubectl rune install` puts the webhook. No Environment may hold it, so
// that the webhook can never block its own start.
const SystemNamespace = "rune-system"

// WebhookServiceAccount is the webhook's own in that namespace.
const WebhookServiceAccount = "rune-webhook"

// PullSecretsRole is the ClusterRole that `kubectl rune install` makes and `kubectl rune env apply` binds in namespaces
// whose pull secrets the webhook may read.
const PullSecretsRole = "rune-webhook-pull-secrets"

// VerdictShards is the number of ConfigMaps in which the webhook keeps what it verified, sealed.
const VerdictShards = 16

// VerdictConfigMap is the name of one of them, numbered from 0.
func VerdictConfigMap(n int) string { return fmt.Sprintf("rune-verdicts-%x", n) }

// Verbs on environments.rune.runeframeos.com/NAME that RBAC grants to people and that the webhook asks
// about by SubjectAccessReview.
const (
	// VerbApprove: approve Releases.
	VerbApprove = "approve"
	// VerbDeploy: change what runs, where rules.access asks for it.
	VerbDeploy = "deploy"
	// VerbExempt: create Exemptions.
	VerbExempt = "exempt"
)
