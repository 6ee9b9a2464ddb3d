// Package record keeps on disk what a cluster is and what runs of it, and
// defines the JSON that the program prints. It starts and ends nothing.
package record
