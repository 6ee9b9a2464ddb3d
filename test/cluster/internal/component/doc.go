// Package component describes the processes of a cluster: what each is called
// with and which files it reads. It starts none of them.
package component
