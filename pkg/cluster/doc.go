// Package cluster reaches a cluster with client-go: it implements the ports of package engine, keeps
// the journal in Releases, and gives commands their typed reads.
//
// Deployments, ReplicaSets and Rune's own kinds are read as they stand in storage, so that fields which
// this program does not know survive; everything is read live. It decides nothing: what a release does
// next is package engine's business.
package cluster
