// Package configuration reads the Environments and ImagePolicies that --config names, for commands that need no
// cluster.
//
// It adds to package files what a command line needs: several directories and files at once.
package configuration
