// Package defaults completes a manifest as an API server does before admission sees it: the namespace, the defaults of
// the built-in kinds that hold pods, and quantities in their one form. Rules that people write in CEL are written
// against such objects.
//
// It works on JSON of any shape, so that fields which this build does not know survive, and leaves alone what is of a
// wrong type: others say so. It does not know what admission plugins add (LimitRanges, service accounts, tolerations,
// priorities), nor what controllers do, and it gives kinds that CustomResourceDefinitions define their namespace only.
//
// The defaults are those of k8s.io/kubernetes v1.37: pkg/apis/{core,apps,batch}/v1/defaults.go and the
// zz_generated.defaults.go beside them; of features that are not on by default, none.
package defaults
