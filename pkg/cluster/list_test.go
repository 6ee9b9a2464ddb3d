package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

func storedRelease(name, workload, phase, deadline string) string {
	return `{"apiVersion":"rune.runeframeos.com/v1alpha1","kind":"Release","metadata":{"namespace":"shop","name":"` + name + `"},
"spec":{"workload":{"kind":"Deployment","name":"` + workload + `"},"delivery":{"deadline":"` + deadline + `"}},"status":{"phase":"` + phase + `"}}`
}

func TestAnUnreadableReleaseHidesNoOther(t *testing.T) {
	readable := storedRelease("web-1", "web", "Succeeded", "1m")
	tests := map[string]struct {
		unreadable string
		inTheWay   bool
	}{
		"of another workload":              {unreadable: storedRelease("api-1", "api", "Progressing", "soon")},
		"of this one, ended":               {unreadable: storedRelease("web-2", "web", "RolledBack", "soon")},
		"of this one, not ended":           {unreadable: storedRelease("web-2", "web", "Progressing", "soon"), inTheWay: true},
		"of this one, never begun":         {unreadable: storedRelease("web-2", "web", "", "soon"), inTheWay: true},
		"of this one by its name":          {unreadable: strings.Replace(storedRelease("web-2", "web", "Progressing", "1m"), `"name":"web"}`, `"name":7}`, 1), inTheWay: true},
		"of this one, with a wrong status": {unreadable: strings.Replace(storedRelease("web-2", "web", "x", "1m"), `{"phase":"x"}`, `"gone"`, 1), inTheWay: true},
		"with a template of a wrong type":  {unreadable: strings.Replace(storedRelease("api-1", "api", "", "1m"), `"delivery"`, `"to":{"spec":{"containers":"none"}},"delivery"`, 1)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _, _ := fakes(t, []runtime.Object{object(t, readable), object(t, tt.unreadable)}...)
			releases, err := c.ListReleases(t.Context(), "shop", "web")
			var unreadable *engine.UnreadableError
			if errors.As(err, &unreadable) != tt.inTheWay {
				t.Fatalf("error %v", err)
			}
			if len(releases) != 1 || releases[0].Name != "web-1" {
				t.Errorf("releases %v", releases)
			}
		})
	}
}
