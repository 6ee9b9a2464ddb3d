// Package files reads Environments and ImagePolicies from a directory of YAML files, for a webhook and
// for commands that have no API server.
//
// A file is judged as an API server with Rune's CustomResourceDefinitions would judge it: unknown fields
// are errors, defaults are filled in, and the schema and its CEL rules are enforced by the same code. It
// reads the two kinds and no others.
package files
