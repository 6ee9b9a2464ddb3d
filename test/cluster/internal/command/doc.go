// Package command is the command line of the program: flags, output, and the
// hidden commands as which the program starts itself inside a cluster. What the
// commands do lies in other packages.
package command
