// Package uninstall is the command `kubectl rune uninstall`: it takes away what install brought, in the
// order that never leaves the API server asking a webhook that is gone.
//
// Without --purge it keeps what people made: the kinds with all Environments, Releases and Approvals,
// and the namespace with the key that sealed them.
package uninstall
