// Package sigstore gives tests a whole Sigstore on loopback: the real Fulcio, timestamp authority and
// Rekor, an issuer of identity tokens, a registry with the referrers API and one without, and the real
// cosign programs, versions 2 and 3, that sign and attest with all of them. Nothing leaves the machine;
// everything that is started ends with the test, and with the test's process should that be killed.
//
// It verifies nothing: what is signed here is judged by pkg/signature, in the tests of this package
// (build tag sigstore, because they need the programs) and in others.
//
// One thing is less than real: the certificate transparency log promises and keeps nothing. And Rekor 1 keeps its
// entries in Trillian's memory and not in a database.
package sigstore
