// Package subject parses what a command acts on, as users of kubectl write it: TYPE/NAME or TYPE NAME.
//
// It knows names only; whether the object exists is found out elsewhere.
package subject
