package files

import (
	"testing"
	"testing/fstest"

	"github.com/go-logr/logr"
)

func TestEnvironmentIsTheSameUntilTheFilesChange(t *testing.T) {
	const text = "apiVersion: rune.runeframeos.com/v1alpha1\nkind: Environment\nmetadata: {name: production}\nspec: {namespaces: [shop]}\n"
	directory := fstest.MapFS{"a.yaml": {Data: []byte(text)}}
	source, err := Open(t.Context(), directory, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	first, err := source.Environment(t.Context(), "production")
	if err != nil {
		t.Fatal(err)
	}
	if err := source.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, err := source.Environment(t.Context(), "production"); err != nil || again != first {
		t.Errorf("it was made anew without a change (%v)", err)
	}
	directory["a.yaml"] = &fstest.MapFile{Data: []byte(text + "  \n# another\n")}
	if err := source.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, err := source.Environment(t.Context(), "production"); err != nil || again == first {
		t.Errorf("the change is not seen (%v)", err)
	}
	if owner, err := source.EnvironmentOf(t.Context(), "shop"); err != nil || owner != "production" {
		t.Errorf("owner %q, %v", owner, err)
	}
}
