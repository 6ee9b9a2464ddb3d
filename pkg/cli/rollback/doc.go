// Package rollback is the command `kubectl rune rollback`. It chooses the template to go back to by
// package release, takes back what is in flight, and requests a release without steps.
package rollback
