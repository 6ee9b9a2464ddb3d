// Package e2e tests the built programs as a user runs them, on a real cluster.
//
// Tests named TestControlPlane need an API server and its controllers, with nodes that may be fake;
// tests named TestNode need pods that run. RUNE_TIER (kwok, node) or E2E_KUBECONFIG chooses the cluster;
// see test/cluster. All of them are behind the build tag e2e, and take the programs from RUNE_BIN.
package e2e
