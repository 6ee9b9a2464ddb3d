// Package apply makes the patches by which Rune writes the user's Deployments: JSON patches with a
// precondition on the resourceVersion, and the patch that gives the fields back to their earlier
// owners. It holds the one field manager under which all of Rune writes.
//
// It sends nothing and decides nothing.
package apply
