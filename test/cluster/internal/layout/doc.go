// Package layout derives everything that distinguishes one cluster from
// another (addresses, names, paths) from the cluster's name, so that two
// clusters never meet. It touches neither disk nor network.
package layout
