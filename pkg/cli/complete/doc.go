// Package complete offers the live names of deployments and releases to a shell that completes a
// command line. It never reports errors: a shell has no place for them.
package complete
