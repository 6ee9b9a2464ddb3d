package namespace

import (
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestPullSecretsAreReadableOnlyWhereAnEnvironmentSaysSo(t *testing.T) {
	environment := read[v1alpha1.Environment](t, `
metadata: {name: production}
spec:
  namespaces: [shop]
  namespaceSettings: {pullSecrets: true}`)
	if !Asks(environment) {
		t.Error("nothing is asked")
	}
	objects, err := Objects(environment, "shop")
	if err != nil || len(objects) != 1 {
		t.Fatalf("objects %v (%v), want one", objects, err)
	}
	binding := objects[0]
	if binding.GetKind() != "RoleBinding" || binding.GetNamespace() != "shop" || binding.GetName() != v1alpha1.PullSecretsRole {
		t.Errorf("made %s %s/%s", binding.GetKind(), binding.GetNamespace(), binding.GetName())
	}
	environment.Spec.NamespaceSettings.PullSecrets = false
	if objects, err := Objects(environment, "shop"); err != nil || len(objects) != 0 || Asks(environment) {
		t.Errorf("objects %v (%v) where nothing is asked", objects, err)
	}
}
