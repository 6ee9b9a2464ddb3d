// Package sandbox makes the namespaces, mounts, links and cgroups in which a
// real node runs apart from the machine, and removes what outlives them. All of
// it hangs on one process: when that ends, the kernel takes the rest, except
// for empty cgroups.
package sandbox
