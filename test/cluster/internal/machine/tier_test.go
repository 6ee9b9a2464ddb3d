package machine

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	able := Facts{OS: "linux", Root: true}
	with := func(change func(*Facts)) Facts {
		facts := able
		change(&facts)
		return facts
	}
	tests := map[string]struct {
		want   Tier
		facts  Facts
		tier   Tier
		reason string // or error, in part
	}{
		"an existing cluster comes first": {
			Auto, with(func(f *Facts) { f.Kubeconfig, f.AssetsDir = "/k", "/a" }), Existing, "E2E_KUBECONFIG is set to /k",
		},
		"assets come before a node": {
			Auto, with(func(f *Facts) { f.AssetsDir = "/a" }), Assets, "KUBEBUILDER_ASSETS is set to /a",
		},
		"root on Linux gets a real node": {"", able, Node, "all that a node needs"},
		"what can be installed is no obstacle": {
			Auto, with(func(f *Facts) { f.MissingPackages, f.CanInstall = []string{"runc"}, true }), Node, "all that a node needs",
		},
		"what cannot be installed is named with the command": {
			Auto, with(func(f *Facts) { f.MissingPackages = []string{"runc", "nftables"} }), Kwok, "sudo apt-get install --no-install-recommends nftables runc",
		},
		"another system gets fake nodes":      {Auto, with(func(f *Facts) { f.OS = "darwin" }), Kwok, "this is darwin"},
		"an ordinary user gets fake nodes":    {Auto, with(func(f *Facts) { f.Root = false }), Kwok, "needs root"},
		"a kernel without cgroups is no node": {Auto, with(func(f *Facts) { f.MissingFiles = []string{"/sys/fs/cgroup"} }), Kwok, "lacks /sys/fs/cgroup"},
		"fake nodes may be asked for":         {Kwok, able, Kwok, "--tier"},
		"a node that cannot be is an error":   {Node, with(func(f *Facts) { f.Root = false }), "", `choosing tier "node": it needs root`},
		"an existing one must be named":       {Existing, able, "", "E2E_KUBECONFIG is not set"},
		"assets must be named":                {Assets, able, "", "KUBEBUILDER_ASSETS is not set"},
		"an unknown tier is an error":         {"kind", able, "", `reading tier "kind"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tier, reason, err := Choose(test.want, test.facts)
			if err != nil {
				reason = err.Error()
			}
			if tier != test.tier || !strings.Contains(reason, test.reason) {
				t.Errorf("got tier %q, %q; want %q, …%s…", tier, reason, test.tier, test.reason)
			}
		})
	}
}
