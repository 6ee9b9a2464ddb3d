// Package status is the command `kubectl rune status`.
//
// It reads and never writes, with at most four requests, whatever the state of the release.
package status
