// Package install is the command `kubectl rune install`: it applies the embedded manifests and waits
// until the webhook runs.
//
// It also tells other commands what an installation consists of. It makes no Environment: until there
// is one, nothing in the cluster is judged.
package install
