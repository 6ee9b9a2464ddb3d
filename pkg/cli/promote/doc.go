// Package promote is the command `kubectl rune promote`: it finds out which digests run, healthy, in
// one environment, and requests their release in the next one at that environment's size.
//
// The rules of the target are judged by its webhook, the release is run by package engine.
package promote
