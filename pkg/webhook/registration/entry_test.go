package registration

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestURLOutsideOfTheCluster(t *testing.T) {
	config := Endpoint{URL: "https://127.0.0.1:9443/"}.clientConfig("/validate/staging", []byte("CA"))
	if config.Service != nil || *config.URL != "https://127.0.0.1:9443/validate/staging" {
		t.Errorf("%+v", config)
	}
}

func TestEntryNamesFitTheAPIServer(t *testing.T) {
	long := strings.Repeat("a", 253)
	if got := entryName(long); len(got) > 253 {
		t.Errorf("%d characters", len(got))
	}
	if entryName(long) == entryName(long[:252]+"b") {
		t.Error("two Environments share an entry")
	}
}

func TestSystemNamespacesAreNeverSelected(t *testing.T) {
	w := newWorld(t, environment("bad", "kube-system", "rune-system"), environment("half", "kube-public", "shop"))
	w.settled(t)
	if diff := cmp.Diff([]string{"half.environments.rune.runeframeos.com"}, names(w.validating(t))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if got := w.validating(t).Webhooks[0].NamespaceSelector.MatchExpressions[0].Values; len(got) != 1 || got[0] != "shop" {
		t.Errorf("namespaces %v", got)
	}
	if got := w.enforced(t, "bad"); got.Status != metav1.ConditionFalse || got.Reason != ReasonNoNamespace {
		t.Errorf("%s %s", got.Status, got.Reason)
	}
}
