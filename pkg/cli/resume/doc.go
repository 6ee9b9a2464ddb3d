// Package resume is the command `kubectl rune resume`: it continues a release whose driver is gone, or
// that waited for a person, from wherever its journal says that it is.
package resume
