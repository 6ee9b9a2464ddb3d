// Package testcluster gives tests a Kubernetes cluster: it runs the program of
// the module test/cluster and reads its JSON, so that Kubernetes itself never
// enters the module graph of Rune. It decides nothing about clusters; that
// program does.
package testcluster
