// Package registry gives tests and benchmarks a container registry on loopback that can fail: the real
// one of go-containerregistry, with or without the referrers API of OCI 1.1, behind a switch that stops
// it, hangs it, throttles it or answers later, and that counts what is asked by kind. Images, signatures
// and attestations are put in behind the switch, in the process, so that a count holds only what the
// program under test asked.
//
// Signatures and bundles are written by hand in the formats of cosign, because only package signature may
// import cosign; this package's own test has cosign read them. It verifies nothing, and has no keyless
// signatures: package test/sigstore has those, by the real programs.
package registry
