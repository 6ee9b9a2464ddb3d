// Package machine finds out what the machine can run, chooses the tier, and
// installs the few Debian packages that a real node needs.
package machine
