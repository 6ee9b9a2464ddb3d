// Package manifest reads Kubernetes objects from YAML and JSON files, directories, the standard input and
// kustomizations, and remembers the line and column of every field.
//
// What it reads is what kubectl would send: documents are split and YAML is converted to JSON by the same code. It
// is as strict as an API server about what an object is, stricter than YAML about keys that stand twice, and it
// never touches the network: URLs and remote bases are refused. It does not know what the fields mean.
package manifest
