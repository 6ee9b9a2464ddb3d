// Package version is the command `kubectl rune version`.
//
// With --client it touches neither kubeconfig nor network. What is in the cluster is told by the
// webhook's Deployment, not by asking the webhook.
package version
