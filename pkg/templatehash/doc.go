// Package templatehash computes the identity of a pod template: the hash that an approval covers and
// that admission compares.
//
// It is a leaf that packages release, policy and admission share. It is not the Deployment
// controller's pod-template-hash, which depends on the Go types of one Kubernetes version.
package templatehash
