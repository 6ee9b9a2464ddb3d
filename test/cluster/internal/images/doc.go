// Package images makes OCI images from static binaries, without a container
// engine, pushes them, and serves the registry that they are pushed to.
package images
