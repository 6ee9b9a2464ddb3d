package verdictstore

import (
	"os"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestTheRoleNamesEveryConfigMap(t *testing.T) {
	role, err := os.ReadFile("../../../manifests/base/rbac-webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for n := range shards {
		if !strings.Contains(string(role), "  - "+v1alpha1.VerdictConfigMap(n)+"\n") {
			t.Errorf("the Role of the webhook does not name the ConfigMap %q", v1alpha1.VerdictConfigMap(n))
		}
	}
}
