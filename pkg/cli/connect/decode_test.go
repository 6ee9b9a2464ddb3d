package connect

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// TestUnreadableObjectsHideNoOthers: what the CRD's schema lets through and Go's types do not.
func TestUnreadableObjectsHideNoOthers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body := `{"kind":"List","apiVersion":"v1","items":[
{"metadata":{"name":"web-2","namespace":"shop"},"spec":{"workload":{"name":"web"},"delivery":{"deadline":"soon"}}},
{"metadata":{"name":"web-1","namespace":"shop"},"spec":{"workload":{"name":"web"},"to":{"spec":{"containers":[]}}}}]}`
		if strings.HasSuffix(r.URL.Path, "/environments") {
			body = `{"kind":"List","apiVersion":"v1","items":[
{"metadata":{"name":"broken"},"spec":{"delivery":{"deadline":"soon"}}},{"metadata":{"name":"staging"},"spec":{"namespaces":["shop"]}}]}`
		}
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	c, err := open(&rest.Config{Host: server.URL}, "shop", false)
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	c.unread = &unread{w: &told}
	for range 2 {
		releases, err := c.Releases(t.Context(), "shop", "web")
		if err != nil || len(releases) != 1 || releases[0].Name != "web-1" {
			t.Errorf("releases %v, %v", releases, err)
		}
		environments, err := c.Environments(t.Context())
		if err != nil || len(environments) != 1 || environments[0].Name != "staging" {
			t.Errorf("environments %v, %v", environments, err)
		}
	}
	want := `warning: release "web-2" in namespace "shop" cannot be read and is left out: time: invalid duration "soon"
warning: environment "broken" cannot be read and is left out: time: invalid duration "soon"
`
	if diff := cmp.Diff(want, told.String()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
