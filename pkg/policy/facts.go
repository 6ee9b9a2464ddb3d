package policy

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Facts are what a judgement needs to know from outside of the object.
type Facts struct {
	// Images by the reference as it stands in the object. An image without a fact counts as one of which nobody could tell.
	Images map[string]ImageFact
	// Approval is nil where nobody looked, which counts as not approved.
	Approval *ApprovalFact
	// Access is nil where nobody asked, which counts as no access.
	Access *AccessFact
	// Surroundings are nil where nobody looked, which counts as none that would help.
	Surroundings *Surroundings
	// Canary names the Release whose canary Deployment the subject is, proven by its seal: it starts small.
	Canary string
	// Exemptions that were proven to stand for the subject's workload (namespace, seal, owner); which rules they
	// lift, for which images and until when is judged here.
	Exemptions []v1alpha1.Exemption
	// Now is the time of the judgement; Exemptions are judged by it.
	Now time.Time
}

// AccessFact is what is known about the right to change what runs in an environment.
type AccessFact struct {
	// Exempt says why the right is not asked of this request; empty where it is.
	Exempt string `json:"exempt,omitempty"`
	// Allowed tells whether the user holds the RBAC verb deploy.
	Allowed bool `json:"allowed,omitempty"`
	// User who asked.
	User string `json:"user,omitempty"`
}

// Surroundings are the objects of the same namespace that say how available a workload is.
type Surroundings struct {
	PodDisruptionBudgets []policyv1.PodDisruptionBudget          `json:"podDisruptionBudgets,omitempty"`
	Autoscalers          []autoscalingv2.HorizontalPodAutoscaler `json:"autoscalers,omitempty"`
}

// Signature is what is known about the signature of an image.
type Signature string

// The outcomes of a verification. Only SignatureVerified lets an image in.
const (
	// SignatureUnknown: nobody could tell; the zero value.
	SignatureUnknown Signature = ""
	// SignatureVerified: every ImagePolicy that covers the image is satisfied.
	SignatureVerified Signature = "Verified"
	// SignatureRejected: the registry answered, and what an ImagePolicy asks is not there.
	SignatureRejected Signature = "Rejected"
	// SignatureNoPolicy: no ImagePolicy of the environment covers the image.
	SignatureNoPolicy Signature = "NoPolicy"
	// SignatureNoImage: the registry answered that it has no such image.
	SignatureNoImage Signature = "NoImage"
	// SignatureNotAsked: the environment has no rule signatures.
	SignatureNotAsked Signature = "NotAsked"
)

// ImageFact is what is known about one image.
type ImageFact struct {
	Signature Signature `json:"signature,omitempty"`
	// Digest that was verified; of a reference with a tag, what the tag named at the time.
	Digest string `json:"digest,omitempty"`
	// Unsatisfied are the ImagePolicies that cover the image and are not satisfied, sorted by name.
	Unsatisfied []PolicyFact `json:"unsatisfied,omitempty"`
	// Cause in words where the image was asked about by no policy: its tag could not be resolved, for example.
	Cause string `json:"cause,omitempty"`
	// Stale says why earlier answers were used: the registry fails. Empty where it was asked or need not be.
	Stale string `json:"stale,omitempty"`
}

// PolicyFact is what one ImagePolicy says about an image.
type PolicyFact struct {
	// Policy by name.
	Policy string `json:"policy"`
	// Signature is SignatureRejected, SignatureNoImage or SignatureUnknown.
	Signature Signature `json:"signature,omitempty"`
	// Reasons in words.
	Reasons []string `json:"reasons,omitempty"`
}

// ApprovalFact is what is known about the approval of an object's pod template.
type ApprovalFact struct {
	// Exempt says why no approval is asked for this object; empty where it is.
	Exempt string `json:"exempt,omitempty"`
	// Problem says why no Release stands for this pod template; empty where Release is set.
	Problem string `json:"problem,omitempty"`
	// Release of the same namespace that brings this very pod template.
	Release string `json:"release,omitempty"`
	// RequestedBy is who asked for the Release.
	RequestedBy v1alpha1.Identity `json:"requestedBy,omitempty"`
	// TemplateHash of the object's pod template.
	TemplateHash string `json:"templateHash,omitempty"`
	// Approvals whose seal is valid and that name the Release by UID.
	Approvals []v1alpha1.ApprovalSpec `json:"approvals,omitempty"`
	// Now is the time of the judgement.
	Now time.Time `json:"now,omitempty"`
}
