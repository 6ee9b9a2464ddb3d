package layout

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckName(t *testing.T) {
	tests := map[string]struct {
		name string
		want bool
	}{
		"an ordinary name is taken":                 {"rune-e2e-2", true},
		"a name may end with a dash":                {"rune-e2e-", true},
		"the empty name is refused":                 {"", false},
		"a path is refused":                         {"../rune", false},
		"upper case is refused, as in host names":   {"Rune", false},
		"a leading digit is refused":                {"1rune", false},
		"a name that fits no host name is refused":  {strings.Repeat("r", 31), false},
		"a name with a line break at its end is no": {"rune\n", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := CheckName(test.name) == nil; got != test.want {
				t.Errorf("CheckName(%q) allows it: %t, want %t", test.name, got, test.want)
			}
		})
	}
}

func TestNetworksOfAClusterAreApart(t *testing.T) {
	for _, name := range []string{"rune", "rune-test-a", "rune-test-b", "zz"} {
		n := NetworkOf(name)
		ranges := []netip.Prefix{n.Node, n.Pods, n.Services}
		for i, a := range ranges {
			for _, b := range ranges[i+1:] {
				if a.Overlaps(b) {
					t.Errorf("cluster %q: %s and %s overlap", name, a, b)
				}
			}
		}
		for _, address := range []netip.Addr{n.APIService(), n.DNSService()} {
			if !n.Services.Contains(address) {
				t.Errorf("cluster %q: %s is not in the Service range %s", name, address, n.Services)
			}
		}
		if n.APIService() == n.DNSService() {
			t.Errorf("cluster %q: the API server and the DNS share %s", name, n.APIService())
		}
		if diff := cmp.Diff(n, NetworkOf(name), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("cluster %q: a second call gives another network:\n%s", name, diff)
		}
	}
}

func TestStateAndCacheFollowTheEnvironment(t *testing.T) {
	t.Setenv("HOME", "/users/jane")
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("XDG_CACHE_HOME", "/var/cache/jane")
	t.Setenv("RUNE_STATE", "")
	t.Setenv("RUNE_CACHE", "")
	paths, err := PathsOf("rune")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{paths.State, cache}
	want := []string{"/users/jane/.local/state/kubectl-rune/clusters/rune", "/var/cache/jane/kubectl-rune"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	t.Setenv("RUNE_CACHE", "/scratch")
	if cache, err = CacheDir(); err != nil || cache != "/scratch" {
		t.Errorf("with RUNE_CACHE=/scratch the cache is %q (%v)", cache, err)
	}
}
