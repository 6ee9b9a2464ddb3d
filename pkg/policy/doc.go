// Package policy judges an object with pods against the rules of an Environment.
//
// It is pure: facts that lie outside of the object (is the image signed, who approved) are given to
// it, it does no I/O and reads no clock. Admission, `kubectl rune check` and `kubectl rune audit` call
// the same code, so that one object gets one verdict. What a verdict does to a request is not decided
// here: that is the environment's enforcement, applied by the callers.
//
// Each check stands in a file of its own, check_<id>.go, and in the list that Checks returns.
package policy
