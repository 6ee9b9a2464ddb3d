// Package output is the flag -o and what it prints: tables and trees for people are made by the
// commands, JSON and YAML here.
package output
