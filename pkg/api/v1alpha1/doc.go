// Package v1alpha1 holds the kinds of the API group rune.runeframeos.com: Environment,
// ImagePolicy, Release and Approval.
//
// It declares types, their names and the small questions that a type can answer about itself.
// It talks to no API server and decides nothing: judging is the work of package policy, running a
// release that of package engine.
//
// +kubebuilder:object:generate=true
// +groupName=rune.runeframeos.com
package v1alpha1
