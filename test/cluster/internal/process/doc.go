// Package process identifies processes beyond the reuse of their numbers, and
// ends them. It never looks a process up by name.
package process
