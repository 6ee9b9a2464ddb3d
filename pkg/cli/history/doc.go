// Package history is the command `kubectl rune history`: the releases of a deployment, the newest
// first, with the revisions that they brought. It reads and never writes.
package history
