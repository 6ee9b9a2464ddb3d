// Package toolchain builds the programs that a cluster consists of from the
// small modules below tools/, once, into a cache outside the checkout whose
// entries are named by a hash of everything that goes into them. It downloads
// nothing but Go modules, through the go command.
package toolchain
