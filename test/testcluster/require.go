package testcluster

import (
	"context"
	"os"
	"testing"
)

// Require brings up, or finds, the cluster that a test wants, and takes down
// after the test what it brought up. A machine that cannot run one fails the
// test.
func Require(t testing.TB, options Options) *Cluster {
	t.Helper()
	cluster, err := Up(t.Context(), options)
	if err != nil {
		t.Fatalf("bringing up a cluster: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := cluster.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("taking down cluster %q: %v", cluster.Name, err)
		}
	})
	return cluster
}

// RequireRealPods skips the test where no containers run, and says why there
// are none. With CI=true that is a failure: a test that CI does not run
// protects nothing.
func RequireRealPods(t testing.TB, cluster *Cluster) {
	t.Helper()
	if cluster.RealPods {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs pods that run, and cluster %q (tier %s) has none: %s", cluster.Name, cluster.Tier, cluster.Reason)
	}
	t.Skipf("needs pods that run; cluster %q has tier %s: %s", cluster.Name, cluster.Tier, cluster.Reason)
}
