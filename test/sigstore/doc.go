// Package sigstore gives tests a whole Sigstore on loopback: the real Fulcio, timestamp authority and
// Rekor, an issuer of identity tokens, a registry with the referrers API and one without, and the real
// cosign programs, versions 2 and 3, that sign and attest with all of them. Nothing leaves the machine;
// everything that is started ends with the test, and with the test's process should that be killed.
//
// It verifies nothing: what is signed here is judged by pkg/signature, in the tests of this package
// (build tag sigstore, because they need the programs) and in others.
//
// There is no certificate transparency log, so certificates carry no signed certificate timestamp, and no
// Rekor of version 1, which cannot be run without a database: what a public log of that kind returns is
// tested with recorded or synthesised material elsewhere.
package sigstore
