// Package manifests holds the Kubernetes objects that make up an installation of Rune, as YAML that
// `kubectl rune install` applies and that `kubectl apply -k` can build on.
//
// The CustomResourceDefinitions below crds are generated from pkg/api; nothing here is a template.
package manifests
