package manifests_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

func TestTheProfileIsValid(t *testing.T) {
	loader, err := files.NewLoader()
	if err != nil {
		t.Fatal(err)
	}
	set, err := loader.Load(t.Context(), os.DirFS("profiles/runeframeos"))
	if err != nil {
		t.Fatal(err)
	}
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range set.Environments {
		names = append(names, set.Environments[i].Name)
		if _, err := compiler.Compile(&set.Environments[i]); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"runeframeos-dev", "runeframeos-prod", "runeframeos-staging"}, names); diff != "" {
		t.Errorf("environments (-want +got):\n%s", diff)
	}
}
