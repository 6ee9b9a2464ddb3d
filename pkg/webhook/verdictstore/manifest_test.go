package verdictstore

import (
	"os"
	"strings"
	"testing"
)

func TestTheRoleNamesEveryConfigMap(t *testing.T) {
	role, err := os.ReadFile("../../../manifests/base/rbac-webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for n := range shards {
		if !strings.Contains(string(role), "  - "+Name(n)+"\n") {
			t.Errorf("the Role of the webhook does not name the ConfigMap %q", Name(n))
		}
	}
}
