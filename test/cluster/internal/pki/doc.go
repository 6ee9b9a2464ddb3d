// Package pki makes the cluster's certificate authority, its certificates and
// the kubeconfigs that use them. Certificates live for a year: test clusters do
// not.
package pki
