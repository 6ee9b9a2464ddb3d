// Package env is `kubectl rune env`: list and describe the Environments, and give their namespaces what the
// Environments ask of them.
//
// It changes no Environment and takes nothing away from a namespace.
package env
