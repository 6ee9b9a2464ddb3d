// Package approve is the command `kubectl rune approve`.
//
// It creates an Approval and nothing else. Who approved, when, and what, is stamped and sealed by the
// webhook; nothing that this command writes is believed.
package approve
