package connect

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

func TestImagePoliciesThatCannotBeReadAreNotLeftOut(t *testing.T) {
	const good = `{"metadata":{"name":"web"},"spec":{"images":["r.example/**"],"environments":["production"]}}`
	for name, test := range map[string]struct {
		items, want string
	}{
		"those that can be read are returned":       {items: good},
		"one that cannot is an error that names it": {items: good + `,{"metadata":{"name":"broken"},"spec":{"cache":{"validFor":"soon"}}}`, want: `ImagePolicy "broken"`},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if !strings.HasSuffix(r.URL.Path, "/imagepolicies") {
					w.WriteHeader(http.StatusNotFound)
				}
				_, _ = w.Write([]byte(`{"kind":"ImagePolicyList","apiVersion":"rune.runeframeos.com/v1alpha1","items":[` + test.items + `]}`))
			}))
			defer server.Close()
			c, err := open(&rest.Config{Host: server.URL}, "shop", false)
			if err != nil {
				t.Fatal(err)
			}
			found, err := c.ImagePolicies(t.Context())
			if test.want == "" && (err != nil || len(found) != 1 || found[0].Name != "web") {
				t.Errorf("%v, %v", found, err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}
