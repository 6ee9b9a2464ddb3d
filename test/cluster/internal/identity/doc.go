// Package identity makes users of a cluster: client certificates obtained from
// the cluster itself, so that it works on any Kubernetes that signs them.
package identity
