package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ImagePolicy says which images need which proof of origin.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=imgpol,categories=rune
// +kubebuilder:printcolumn:name="Images",type=string,JSONPath=`.spec.images`
// +kubebuilder:printcolumn:name="Environments",type=string,JSONPath=`.spec.environments`
// +kubebuilder:printcolumn:name="Require",type=string,JSONPath=`.spec.require`
// +kubebuilder:printcolumn:name="Authorities",type=string,JSONPath=`.spec.authorities[*].name`,priority=1
// +kubebuilder:printcolumn:name="Attestations",type=string,JSONPath=`.spec.attestations[*].name`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ImagePolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ImagePolicySpec `json:"spec"`
}

// SignatureRequirement says how many authorities must have signed an image.
//
// +kubebuilder:validation:Enum=Any;All;AtLeast;AttestationsOnly
type SignatureRequirement string

// The ways in which authorities are combined.
const (
	// RequireAny: one authority suffices.
	RequireAny SignatureRequirement = "Any"
	// RequireAll: each authority must have signed.
	RequireAll SignatureRequirement = "All"
	// RequireAtLeast: spec.atLeast distinct authorities must have signed.
	RequireAtLeast SignatureRequirement = "AtLeast"
	// RequireAttestationsOnly: no signature of the image itself is asked, only spec.attestations.
	RequireAttestationsOnly SignatureRequirement = "AttestationsOnly"
)

// SignatureFormat is a way in which signatures and attestations are stored beside an image.
//
// +kubebuilder:validation:Enum=Tag;Bundle
type SignatureFormat string

// The formats of signatures.
const (
	// FormatTag: tags sha256-….sig and sha256-….att, as cosign 1 and 2 write them.
	FormatTag SignatureFormat = "Tag"
	// FormatBundle: Sigstore bundles (version 0.3) found as OCI referrers or under the fallback tag, as cosign 3 and
	// GitHub's attestations write them.
	FormatBundle SignatureFormat = "Bundle"
)

// ImagePolicySpec is the proof that matching images need.
//
// +kubebuilder:validation:XValidation:rule="(has(self.require) && self.require == 'AtLeast') == has(self.atLeast)",message="atLeast goes with require: AtLeast, and the other way round"
// +kubebuilder:validation:XValidation:rule="!has(self.atLeast) || self.atLeast <= size(self.authorities)",message="atLeast is more than there are authorities"
// +kubebuilder:validation:XValidation:rule="!has(self.require) || self.require != 'AttestationsOnly' || (has(self.attestations) && size(self.attestations) > 0)",message="require: AttestationsOnly needs attestations: else nothing would be asked"
type ImagePolicySpec struct {
	// Images are globs over normalised repositories (lower-case host, docker.io spelled out, without tag and
	// digest): "*" matches within one path segment, "**" across segments.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Images []string `json:"images"`

	// Environments in which the policy counts.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Environments []string `json:"environments"`

	// Require says how many of the authorities must have signed the image.
	// +optional
	// +kubebuilder:default=Any
	Require SignatureRequirement `json:"require,omitempty"`
	// AtLeast is that number where require is AtLeast. Two authorities with the same key, or two signatures by the
	// same certificate identity, count once.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	AtLeast *int32 `json:"atLeast,omitempty"`

	// Authorities that are trusted to sign.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Authorities []Authority `json:"authorities"`

	// Attestations that the image must have, each of them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Attestations []AttestationRequirement `json:"attestations,omitempty"`

	// Formats that are looked for; both where none is named. Naming the one that is used saves a request to the
	// registry for each new image.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	Formats []SignatureFormat `json:"formats,omitempty"`

	// Cache says how long a verified image is trusted without asking the registry.
	// +optional
	Cache *VerificationCache `json:"cache,omitempty"`
}

// VerificationCache bounds how long verified facts are used again. Attestations' ages and conditions, and the end of
// a key's time, are judged at every admission all the same.
type VerificationCache struct {
	// ValidFor is how long the registry is not asked again about a verified digest; 1h where it is not set.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('168h')",message="must be above 0s and at most 168h"
	ValidFor *metav1.Duration `json:"validFor,omitempty"`
	// StaleFor is how long, after that, the digest still counts as verified while the registry fails; 24h where it is
	// not set, 0s for never. Each such admission carries a warning.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('720h')",message="must be at least 0s and at most 720h"
	StaleFor *metav1.Duration `json:"staleFor,omitempty"`
}

// Presence says whether a proof must be there.
//
// +kubebuilder:validation:Enum=Required;Ignored
type Presence string

// The two degrees of Presence.
const (
	PresenceRequired Presence = "Required"
	PresenceIgnored  Presence = "Ignored"
)

// Authority is one signer that is trusted.
//
// +kubebuilder:validation:XValidation:rule="has(self.key) != has(self.keyless)",message="must have exactly one of key and keyless"
// +kubebuilder:validation:XValidation:rule="!has(self.keyless) || !has(self.transparencyLog) || self.transparencyLog != 'Ignored' || (has(self.timestamps) && self.timestamps == 'Required')",message="a keyless signature needs a trusted time: transparencyLog or timestamps must be Required, else an expired certificate could sign"
// +kubebuilder:validation:XValidation:rule="!has(self.key) || has(self.trustRoot) || ((!has(self.transparencyLog) || self.transparencyLog == 'Ignored') && (!has(self.timestamps) || self.timestamps == 'Ignored'))",message="a key with transparencyLog or timestamps Required needs a trustRoot that names their keys"
type Authority struct {
	// Name of the signer, as messages show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Key is a public key that cosign signed with.
	// +optional
	Key *KeyAuthority `json:"key,omitempty"`
	// Keyless is an identity to which Fulcio issued a certificate.
	// +optional
	Keyless *KeylessAuthority `json:"keyless,omitempty"`

	// TrustRoot holds the certificates and keys of Fulcio, Rekor and timestamp authorities. Keyless authorities without
	// one trust the public Sigstore instance, which the webhook fetches by TUF.
	// +optional
	TrustRoot *TrustRoot `json:"trustRoot,omitempty"`
	// TransparencyLog says whether a proof of inclusion in a Rekor log of the trust root is needed. Where it is not set:
	// Required for keyless, Ignored for a key.
	// +optional
	TransparencyLog Presence `json:"transparencyLog,omitempty"`
	// Timestamps says whether an RFC 3161 time stamp by an authority of the trust root is needed. Ignored where it is not set.
	// +optional
	Timestamps Presence `json:"timestamps,omitempty"`
}

// KeyAuthority is a cosign public key.
//
// +kubebuilder:validation:XValidation:rule="(has(self.data) ? 1 : 0) + (has(self.secretRef) ? 1 : 0) + (has(self.kms) ? 1 : 0) == 1",message="must have exactly one of data, secretRef and kms"
type KeyAuthority struct {
	// Data is the key in PEM form: the content of cosign.pub.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self.contains('-----BEGIN PUBLIC KEY-----')",message="must be a PEM block PUBLIC KEY, as in cosign.pub"
	Data string `json:"data,omitempty"`
	// SecretRef names a Secret in the webhook's own namespace.
	// +optional
	SecretRef *KeySecretReference `json:"secretRef,omitempty"`
	// KMS is the URI of a key in a key management service, as cosign writes it: awskms://, gcpkms://, azurekms:// or
	// hashivault://. Needs the webhook's build with cloud support.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^(awskms|gcpkms|azurekms|hashivault)://.+')",message="must begin with awskms://, gcpkms://, azurekms:// or hashivault://"
	KMS string `json:"kms,omitempty"`
	// NotAfter is the end of the key's time: from then on its signatures do not count. For rotation.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
}

// KeySecretReference names a public key in a Secret of the webhook's own namespace.
type KeySecretReference struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key in the Secret's data; cosign.pub where it is not set, as `cosign generate-key-pair k8s://…` writes it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// KeylessAuthority is whoever a certificate authority of the trust root (Fulcio) calls by one of some identities.
type KeylessAuthority struct {
	// Identities of which any one suffices.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Identities []CertificateIdentity `json:"identities"`
}

// CertificateIdentity is what a certificate must say of its owner. All that is set must hold.
//
// +kubebuilder:validation:XValidation:rule="has(self.issuer) != has(self.issuerRegExp)",message="must have exactly one of issuer and issuerRegExp"
// +kubebuilder:validation:XValidation:rule="has(self.subject) != has(self.subjectRegExp)",message="must have exactly one of subject and subjectRegExp"
type CertificateIdentity struct {
	// Issuer of the OIDC token, exactly: https://token.actions.githubusercontent.com.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Issuer string `json:"issuer,omitempty"`
	// IssuerRegExp matches the whole issuer: it begins with ^ and ends with $ (RE2).
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('^') && self.endsWith('$')",message="must begin with ^ and end with $, else it would match parts of other identities"
	IssuerRegExp string `json:"issuerRegExp,omitempty"`
	// Subject is the certificate's subject alternative name, exactly: an e-mail address, a SPIFFE ID, or the URI of a
	// workflow: https://github.com/ORG/REPOSITORY/.github/workflows/release.yaml@refs/heads/main.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Subject string `json:"subject,omitempty"`
	// SubjectRegExp matches the whole subject: it begins with ^ and ends with $ (RE2).
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('^') && self.endsWith('$')",message="must begin with ^ and end with $, else it would match parts of other identities"
	SubjectRegExp string `json:"subjectRegExp,omitempty"`
	// Extensions that Fulcio wrote into the certificate from the token's claims.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=14
	Extensions []CertificateExtension `json:"extensions,omitempty"`
}

// ExtensionName is a Fulcio certificate extension, by the name of
// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md (OIDs 1.3.6.1.4.1.57264.1.9 and following).
//
// +kubebuilder:validation:Enum=BuildSignerURI;BuildSignerDigest;RunnerEnvironment;SourceRepositoryURI;SourceRepositoryDigest;SourceRepositoryRef;SourceRepositoryIdentifier;SourceRepositoryOwnerURI;SourceRepositoryOwnerIdentifier;BuildConfigURI;BuildConfigDigest;BuildTrigger;RunInvocationURI;SourceRepositoryVisibilityAtSigning
type ExtensionName string

// The extensions of which the standards make use; the others are written likewise.
const (
	// ExtensionSourceRepositoryURI is the repository that was built: https://github.com/ORG/REPOSITORY.
	ExtensionSourceRepositoryURI ExtensionName = "SourceRepositoryURI"
	// ExtensionSourceRepositoryRef is the ref that was built: refs/heads/main.
	ExtensionSourceRepositoryRef ExtensionName = "SourceRepositoryRef"
	// ExtensionBuildConfigURI is the workflow that ran, with its ref.
	ExtensionBuildConfigURI ExtensionName = "BuildConfigURI"
)

// CertificateExtension is what an extension must say.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.regExp)",message="must have exactly one of value and regExp"
type CertificateExtension struct {
	// +required
	Name ExtensionName `json:"name"`
	// Value of the extension, exactly.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Value string `json:"value,omitempty"`
	// RegExp matches the whole value: it begins with ^ and ends with $ (RE2).
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('^') && self.endsWith('$')",message="must begin with ^ and end with $, else it would match parts of other values"
	RegExp string `json:"regExp,omitempty"`
}

// TrustRoot is whom signatures are traced back to, in the form of Sigstore's trusted_root.json (media type
// application/vnd.dev.sigstore.trustedroot+json;version=0.1), as `cosign trusted-root create` writes it.
//
// +kubebuilder:validation:XValidation:rule="has(self.data) != has(self.file)",message="must have exactly one of data and file"
type TrustRoot struct {
	// Data is the JSON itself.
	// +optional
	// +kubebuilder:validation:MaxLength=262144
	Data string `json:"data,omitempty"`
	// File is the absolute path of a file that the webhook reads, and reads again when it changes: of a mounted ConfigMap.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="must be an absolute path"
	File string `json:"file,omitempty"`
}

// AttestationRequirement is a signed statement (in-toto) about the image that must be there. Of several that match,
// the one with the latest time is judged.
type AttestationRequirement struct {
	// Name of the requirement, as messages show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// PredicateType is the type's URI, or one of cosign's short names: slsaprovenance, slsaprovenance02,
	// slsaprovenance1, vuln, spdx, spdxjson, cyclonedx, openvex, link, custom.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	PredicateType string `json:"predicateType"`
	// Authorities of this policy of which any one must have signed the attestation, by name; all count where none is named.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Authorities []string `json:"authorities,omitempty"`
	// MaxAge of the attestation at the time of admission. Its time is the trusted time of its signature (transparency
	// log, RFC 3161), or where there is none what the predicate says of itself; without either it is too old.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be above 0s"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
	// Conditions over the predicate, all of which must hold.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Conditions []AttestationCondition `json:"conditions,omitempty"`
}

// AttestationCondition is a CEL expression over an attestation.
type AttestationCondition struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Expression must be true. Variables: predicate (the attestation's predicate), image (image.registry,
	// image.repository, image.digest), environment (the name), now (time of the admission), time (the attestation's time).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression"`
	// Message that the user reads where the expression is not true.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// ImagePolicyList is a list of ImagePolicies.
//
// +kubebuilder:object:root=true
type ImagePolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ImagePolicy `json:"items"`
}
