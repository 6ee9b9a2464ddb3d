package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of all kinds of this package.
const GroupName = "rune.runeframeos.com"

// Version is the API version of this package.
const Version = "v1alpha1"

// Kinds of this package as they stand in an object's kind field.
const (
	KindEnvironment = "Environment"
	KindImagePolicy = "ImagePolicy"
	KindRelease     = "Release"
	KindApproval    = "Approval"
	KindExemption   = "Exemption"
)

// GroupVersion returns the group and version of all kinds of this package.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: GroupName, Version: Version}
}

// Resource qualifies a plural resource name ("releases") with the group and version.
func Resource(plural string) schema.GroupVersionResource {
	return GroupVersion().WithResource(plural)
}

// AddToScheme adds all kinds of this package to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	gv := GroupVersion()
	s.AddKnownTypes(gv,
		&Environment{}, &EnvironmentList{},
		&ImagePolicy{}, &ImagePolicyList{},
		&Release{}, &ReleaseList{},
		&Approval{}, &ApprovalList{},
		&Exemption{}, &ExemptionList{},
	)
	metav1.AddToGroupVersion(s, gv)
	return nil
}
