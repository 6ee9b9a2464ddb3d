// Package version tells which build of Rune is running.
//
// It reads what the linker and the Go toolchain stamped into the binary. It asks no cluster and
// compares no versions.
package version
