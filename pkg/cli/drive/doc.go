// Package drive runs a release in the foreground for the commands that start or continue one: it
// connects the engine to the cluster, prints progress on stderr and the end on stdout, and gives the
// end its exit code.
//
// What a release does is decided in package engine, never here.
package drive
