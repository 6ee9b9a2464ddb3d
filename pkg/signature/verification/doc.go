// Package verification turns what lies beside an image in its registry into proof.Evidence: who signed the digest and
// which signed statements there are about it.
//
// It reads what cosign 1 and 2 write (tags sha256-….sig and sha256-….att) and Sigstore bundles, which cosign 3 and
// GitHub write (OCI referrers or the tag that stands in for them), signed by a key or by a certificate (keyless).
// Whatever the format, a signature is brought into one form and checked in one way; trust roots, transparency logs,
// time stamps and certificate chains are checked by sigstore-go. Nothing counts that cosign itself does not accept too.
//
// What could not be read but might have been the right proof is an error: nobody could tell. What is junk, foreign,
// forged or of another image is a proof.Rejection and never an error, so that it hides nothing. What is read is bounded
// in number and size. A claim counts only if its signature was verified: annotations, tags and the list of referrers
// only say where to look.
//
// It does not judge (package proof does), cache evidence (package verdict does) or know how registries are asked
// (package registry does). It asks neither Rekor nor Fulcio. The variables by which cosign's libraries can be told to
// trust others are cleared by the programs (signature.ClearEnvironment).
package verification
