// Package registries opens the way from a command to registries: with the caller's own credentials, the pull secrets
// of a namespace as far as the caller may read them, and what --registries says about single registries.
//
// It verifies nothing itself; package signature does.
package registries
