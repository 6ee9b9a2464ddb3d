// Package abort is the command `kubectl rune abort`: it takes an unfinished release back. Where a
// living process drives the release, that one is asked to do it.
package abort
