package registration

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Name of both webhook configurations.
const Name = "rune-webhook"

// TimeoutSeconds that the API server waits for one answer.
const TimeoutSeconds = 10

// shortTimeoutSeconds is for what needs no registry and no more than one question to the API server.
const shortTimeoutSeconds = 5

// Paths below which an Environment's requests arrive; the Environment's name follows.
const (
	MutatePath    = "/mutate/"
	ValidatePath  = "/validate/"
	NamespacePath = "/namespace/"
)

// ConfigurationPath is where Environments and ImagePolicies are judged.
const ConfigurationPath = "/configuration"

// namespaceLabel is on every namespace and holds its name.
const namespaceLabel = "kubernetes.io/metadata.name"

// An Environment's name and one of these make a webhook's name, which must be fully qualified.
const (
	entrySuffix     = ".environments." + v1alpha1.GroupName
	selectedSuffix  = ".selected" + entrySuffix
	namespaceSuffix = ".namespaces." + v1alpha1.GroupName
)

// configurationName is the webhook name of the one entry that belongs to no Environment.
const configurationName = "configuration." + v1alpha1.GroupName

// maxEntryName is the API server's limit for a webhook's name.
const maxEntryName = 253

// Endpoint is where API servers reach the webhook: a Service in the cluster or, where URL is set, a
// process outside of it.
type Endpoint struct {
	Service types.NamespacedName
	// URL is scheme, host and port without a path: "https://127.0.0.1:9443".
	URL string
}

func (e Endpoint) clientConfig(path string, bundle []byte) admissionregistrationv1.WebhookClientConfig {
	if e.URL != "" {
		return admissionregistrationv1.WebhookClientConfig{
			URL:      ptr.To(strings.TrimSuffix(e.URL, "/") + path),
			CABundle: bundle,
		}
	}
	return admissionregistrationv1.WebhookClientConfig{
		Service: &admissionregistrationv1.ServiceReference{
			Namespace: e.Service.Namespace,
			Name:      e.Service.Name,
			Path:      ptr.To(path),
			Port:      ptr.To[int32](443),
		},
		CABundle: bundle,
	}
}

// entryName returns the webhook name of the entry for what an Environment lists by name. The API server
// shows it in a refusal.
func entryName(environment string) string { return qualified(environment, entrySuffix) }

// selectedName is that of the entry for what an Environment selects by label.
func selectedName(environment string) string { return qualified(environment, selectedSuffix) }

// namespaceEntryName is that of the entry for Namespaces that leave the Environment.
func namespaceEntryName(environment string) string { return qualified(environment, namespaceSuffix) }

// qualified makes a name of an Environment's, with a hash where it would be too long or that of another one's entry.
func qualified(environment, suffix string) string {
	room := maxEntryName - len(selectedSuffix)
	if len(environment) > room || strings.HasSuffix(environment, ".selected") {
		sum := sha256.Sum256([]byte(environment))
		tail := "-" + hex.EncodeToString(sum[:8])
		environment = strings.TrimRight(environment[:min(len(environment), room-len(tail))], "-.") + tail
	}
	return environment + suffix
}

// scope is one of the entries of an Environment for objects with pods.
type scope struct {
	name     string
	selector *metav1.LabelSelector
}

// scopes of an Environment. The one by name stands alone, so that no label has a part in it.
func (c coverage) scopes() []scope {
	var all []scope
	if len(c.namespaces) > 0 {
		all = append(all, scope{entryName(c.environment.Name), selector(c.namespaces)})
	}
	if c.selector != nil {
		all = append(all, scope{selectedName(c.environment.Name), withListed(c.selector, c.listed)})
	}
	return all
}

// mutating returns the entry that lets the webhook complete objects. Every field is set, defaults too, so
// that what the API server returns equals what was written.
func mutating(c coverage, s scope, endpoint Endpoint, bundle []byte) admissionregistrationv1.MutatingWebhook {
	return admissionregistrationv1.MutatingWebhook{
		Name:                    s.name,
		ClientConfig:            endpoint.clientConfig(MutatePath+c.environment.Name, bundle),
		Rules:                   c.asked.rules,
		FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
		MatchPolicy:             ptr.To(admissionregistrationv1.Equivalent),
		NamespaceSelector:       s.selector,
		MatchConditions:         c.asked.conditions,
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          ptr.To[int32](TimeoutSeconds),
		AdmissionReviewVersions: []string{"v1"},
		ReinvocationPolicy:      ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy),
	}
}

// validatingEntry is what all validating entries share. The side effect is the Event of a denial.
func validatingEntry(name string) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name:                    name,
		FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
		MatchPolicy:             ptr.To(admissionregistrationv1.Equivalent),
		NamespaceSelector:       &metav1.LabelSelector{},
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          ptr.To[int32](shortTimeoutSeconds),
		AdmissionReviewVersions: []string{"v1"},
	}
}

// validating returns the entry that lets the webhook judge objects.
func validating(c coverage, s scope, endpoint Endpoint, bundle []byte) admissionregistrationv1.ValidatingWebhook {
	entry := validatingEntry(s.name)
	entry.ClientConfig = endpoint.clientConfig(ValidatePath+c.environment.Name, bundle)
	entry.Rules, entry.MatchConditions = c.asked.rules, c.asked.conditions
	entry.NamespaceSelector = s.selector
	entry.TimeoutSeconds = ptr.To[int32](TimeoutSeconds)
	return entry
}

// namespaces returns the entry for Namespaces that leave an Environment by their labels. Its conditions are met by
// nothing else, so that no other Namespace waits for the webhook. Labels can be written through the
// subresources too.
func namespaces(c coverage, endpoint Endpoint, bundle []byte) admissionregistrationv1.ValidatingWebhook {
	entry := validatingEntry(namespaceEntryName(c.environment.Name))
	entry.ClientConfig = endpoint.clientConfig(NamespacePath+c.environment.Name, bundle)
	updates := rule(admissionregistrationv1.ClusterScope, "", "v1", "namespaces", "namespaces/status", "namespaces/finalize")
	updates.Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.Update}
	entry.Rules = []admissionregistrationv1.RuleWithOperations{updates}
	entry.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{notListed(c.listed)}}
	entry.MatchConditions = leaving(c.selector)
	return entry
}

// configuration returns the entry for Environments and ImagePolicies. It fails open: what it does not see
// is judged when it is used, and then fails closed.
func configuration(endpoint Endpoint, bundle []byte) admissionregistrationv1.ValidatingWebhook {
	entry := validatingEntry(configurationName)
	entry.ClientConfig = endpoint.clientConfig(ConfigurationPath, bundle)
	entry.FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
	entry.Rules = []admissionregistrationv1.RuleWithOperations{
		rule(admissionregistrationv1.ClusterScope, v1alpha1.GroupName, v1alpha1.Version, "environments", "imagepolicies"),
	}
	entry.MatchConditions = []admissionregistrationv1.MatchCondition{{
		Name: conditionName, Expression: "request.operation != 'UPDATE' || object.?spec != oldObject.?spec",
	}}
	return entry
}

// selector matches namespaces by a label that the API server itself sets and guards.
func selector(namespaces []string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key:      namespaceLabel,
		Operator: metav1.LabelSelectorOpIn,
		Values:   namespaces,
	}}}
}

// rules lists what the webhook is asked about in every Environment. DELETE is never among it: taking
// something away must not wait for the webhook. The scale subresource is not either: it cannot change a pod template.
func rules() []admissionregistrationv1.RuleWithOperations {
	const namespaced = admissionregistrationv1.NamespacedScope
	return []admissionregistrationv1.RuleWithOperations{
		rule(namespaced, "", "v1", "pods", "pods/ephemeralcontainers", "pods/resize", "replicationcontrollers"),
		// A StatefulSet's Pods may be made from a ControllerRevision, so nobody else may write one.
		rule(namespaced, "apps", "v1", "deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"),
		rule(namespaced, "batch", "v1", "jobs", "cronjobs"),
		rule(namespaced, v1alpha1.GroupName, v1alpha1.Version, "releases", "approvals", "exemptions"),
	}
}
