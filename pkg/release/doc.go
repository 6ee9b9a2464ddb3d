// Package release holds what a release is without doing any of it: the steps of each strategy, the
// replicas that give a weight, the names and objects that Rune makes, the template that a rollback
// returns to, and whether a rollout is complete.
//
// It is pure: no I/O, no clock, no client. Package engine applies what is computed here; packages
// cluster and cli read and print it.
package release
