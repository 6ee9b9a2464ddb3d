// Package lifecycle brings clusters up, finds them, and takes them down. What
// runs inside one is described by package component and watched by package
// supervise.
package lifecycle
