package files

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestSourceFollowsTheFiles(t *testing.T) {
	d := directory(map[string]string{"env.yaml": production, "policy.yaml": policy})
	source, err := Open(t.Context(), d, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Environment(t.Context(), "production"); err != nil {
		t.Error(err)
	}
	if _, err := source.Environment(t.Context(), "none"); !apierrors.IsNotFound(err) {
		t.Errorf("absent Environment: %v", err)
	}
	if naming, err := source.ImagePolicies(t.Context(), "production"); err != nil || len(naming) != 1 {
		t.Errorf("policies: %v, %v", naming, err)
	}
	if naming, err := source.ImagePolicies(t.Context(), "staging"); err != nil || len(naming) != 0 {
		t.Errorf("policies of another environment: %v, %v", naming, err)
	}

	d["env.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(production, "name: production", "name: staging", 1))}
	if err := source.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Environment(t.Context(), "staging"); err != nil {
		t.Errorf("the change was not seen: %v", err)
	}
	if _, err := source.Environment(t.Context(), "production"); !apierrors.IsNotFound(err) {
		t.Errorf("what is gone is still there: %v", err)
	}
}

func TestLastGoodSetStaysWhenFilesBreak(t *testing.T) {
	d := directory(map[string]string{"env.yaml": production})
	loads := 0
	source, err := Open(t.Context(), d, funcr.New(func(_, _ string) { loads++ }, funcr.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	d["env.yaml"] = &fstest.MapFile{Data: []byte("{")}
	if err := source.reload(t.Context()); err == nil || !strings.Contains(err.Error(), "env.yaml") {
		t.Errorf("error %v", err)
	}
	if err := source.reload(t.Context()); err != nil {
		t.Errorf("the same problem is told each second: %v", err)
	}
	if _, err := source.Environment(t.Context(), "production"); err != nil {
		t.Errorf("the last good set is gone: %v", err)
	}
	d["env.yaml"] = &fstest.MapFile{Data: []byte(production)}
	if err := source.reload(t.Context()); err != nil || loads != 2 {
		t.Errorf("%d loads, %v", loads, err)
	}
}

func TestOpenRefusesBrokenFiles(t *testing.T) {
	if _, err := Open(t.Context(), directory(map[string]string{"env.yaml": "{"}), logr.Discard()); err == nil {
		t.Error("no error")
	}
}
