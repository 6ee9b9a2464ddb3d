// Package images reads --image CONTAINER=REFERENCE and writes references into pod templates.
package images
