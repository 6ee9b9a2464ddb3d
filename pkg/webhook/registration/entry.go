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

// Paths below which an Environment's requests arrive; the Environment's name follows.
const (
	MutatePath   = "/mutate/"
	ValidatePath = "/validate/"
)

// namespaceLabel is on every namespace and holds its name.
const namespaceLabel = "kubernetes.io/metadata.name"

// entrySuffix makes an Environment's name a webhook's name, which must be fully qualified.
const entrySuffix = ".environments." + v1alpha1.GroupName

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

// entryName returns the webhook name of an Environment, which the API server shows in a refusal.
func entryName(environment string) string {
	if room := maxEntryName - len(entrySuffix); len(environment) > room {
		sum := sha256.Sum256([]byte(environment))
		tail := "-" + hex.EncodeToString(sum[:8])
		environment = strings.TrimRight(environment[:room-len(tail)], "-.") + tail
	}
	return environment + entrySuffix
}

// mutating returns the entry that lets the webhook complete objects. Every field is set, defaults too, so
// that what the API server returns equals what was written.
func mutating(c coverage, endpoint Endpoint, bundle []byte) admissionregistrationv1.MutatingWebhook {
	return admissionregistrationv1.MutatingWebhook{
		Name:                    entryName(c.environment.Name),
		ClientConfig:            endpoint.clientConfig(MutatePath+c.environment.Name, bundle),
		Rules:                   rules(),
		FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
		MatchPolicy:             ptr.To(admissionregistrationv1.Equivalent),
		NamespaceSelector:       selector(c.namespaces),
		MatchConditions:         matchConditions(),
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          ptr.To[int32](TimeoutSeconds),
		AdmissionReviewVersions: []string{"v1"},
		ReinvocationPolicy:      ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy),
	}
}

// validating returns the entry that lets the webhook judge objects.
func validating(c coverage, endpoint Endpoint, bundle []byte) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name:                    entryName(c.environment.Name),
		ClientConfig:            endpoint.clientConfig(ValidatePath+c.environment.Name, bundle),
		Rules:                   rules(),
		FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
		MatchPolicy:             ptr.To(admissionregistrationv1.Equivalent),
		NamespaceSelector:       selector(c.namespaces),
		MatchConditions:         matchConditions(),
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          ptr.To[int32](TimeoutSeconds),
		AdmissionReviewVersions: []string{"v1"},
	}
}

// selector matches namespaces by a label that the API server itself sets and guards.
func selector(namespaces []string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key:      namespaceLabel,
		Operator: metav1.LabelSelectorOpIn,
		Values:   namespaces,
	}}}
}

// rules lists what the webhook is asked about. DELETE is never among it: taking something away must not
// wait for the webhook. The scale subresource is not either: it cannot change a pod template.
func rules() []admissionregistrationv1.RuleWithOperations {
	rule := func(group, version string, resources ...string) admissionregistrationv1.RuleWithOperations {
		return admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
			Rule: admissionregistrationv1.Rule{
				APIGroups:   []string{group},
				APIVersions: []string{version},
				Resources:   resources,
				Scope:       ptr.To(admissionregistrationv1.NamespacedScope),
			},
		}
	}
	return []admissionregistrationv1.RuleWithOperations{
		rule("", "v1", "pods", "pods/ephemeralcontainers", "pods/resize", "replicationcontrollers"),
		// A StatefulSet's Pods may be made from a ControllerRevision, so nobody else may write one.
		rule("apps", "v1", "deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"),
		rule("batch", "v1", "jobs", "cronjobs"),
		rule(v1alpha1.GroupName, v1alpha1.Version, "releases", "approvals"),
	}
}
