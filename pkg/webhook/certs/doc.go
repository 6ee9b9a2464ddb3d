// Package certs makes, keeps and renews the certificates that the webhook serves with: a certificate
// authority of its own and a serving certificate, both in one Secret that all replicas share.
//
// A new authority is trusted before it signs anything and an old one is trusted until it expires, so
// that at no moment an API server meets a certificate which the published bundle does not cover.
// Replicas write with optimistic locking and take whatever another one wrote first.
//
// The package neither writes webhook configurations (package registration does) nor touches files:
// certificates are handed to the TLS server from memory.
package certs
