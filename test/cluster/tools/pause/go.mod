// The process that holds a pod's namespaces in the test cluster.
module github.com/runeframeos/kubectl-rune/test/cluster/tools/pause

go 1.26.0
