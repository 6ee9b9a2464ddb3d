package image

import "errors"

// ErrNotExist says that a registry was reached and knows no such image.
var ErrNotExist = errors.New("image does not exist")

// Proof is the definite outcome of verifying one digest: it is signed by a trusted authority or it is
// not. That nobody could tell (a registry that is down, throttles or refuses the credentials) is
// never a Proof but an error, so that the two cannot be taken for each other.
type Proof struct {
	// Verified is true if one of the authorities that were asked for signed the digest.
	Verified bool
	// Authority is the name of the one whose signature was verified; empty unless Verified.
	Authority string
	// Reason says why nothing was verified: "no signatures found"; empty if Verified.
	Reason string
}
