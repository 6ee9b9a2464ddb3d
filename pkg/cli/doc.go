// Package cli puts the commands of `kubectl rune` together: one package below it per command.
//
// It parses nothing and talks to no cluster; the commands do, each only when it runs.
package cli
