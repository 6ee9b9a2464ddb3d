package architecture

import "slices"

// Module is the path of the main module.
const Module = "github.com/runeframeos/kubectl-rune"

// pureLayer is a package below pkg/ that does no I/O and reads no clock.
type pureLayer struct {
	// ours are the other packages below pkg/ that it may import.
	ours []string
	// modules are the prefixes of foreign packages that it may import beside those of every pure one.
	modules []string
}

// pureLayers are the packages that judge, plan and show. Keys and ours are first elements below pkg/.
func pureLayers() map[string]pureLayer {
	return map[string]pureLayer{
		"api":          {},
		"templatehash": {ours: []string{"api"}},
		"analysis":     {ours: []string{"api", "templatehash"}},
		"release":      {ours: []string{"api", "templatehash", "analysis"}},
		"view":         {ours: []string{"api", "templatehash", "release"}},
		"policy": {
			ours:    []string{"api", "templatehash"},
			modules: []string{"k8s.io/pod-security-admission/", "github.com/google/cel-go/", "k8s.io/apiserver/pkg/cel/"},
		},
	}
}

// everyPureModule are the prefixes of foreign packages that any pure package may import.
func everyPureModule() []string {
	return []string{"k8s.io/api/", "k8s.io/apimachinery/"}
}

// coreLayers run releases and answer reviews, through interfaces that they declare themselves.
func coreLayers() []string {
	return []string{"admission", "engine"}
}

// adapterLayers implement the interfaces of the core against the world.
func adapterLayers() []string {
	return []string{"cluster", "gitops", "notify", "observe", "promql", "signature", "traffic", "webhook"}
}

func isPure(layer string) bool {
	_, ok := pureLayers()[layer]
	return ok
}

func isCore(layer string) bool { return slices.Contains(coreLayers(), layer) }

func isAdapter(layer string) bool { return slices.Contains(adapterLayers(), layer) }
