package registry_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// A list that is cut off must not look like one that ends: the newest referrer may be on the page that is missing.
func TestAFurtherPageThatIsNoneIsNoEndOfTheList(t *testing.T) {
	tests := map[string]struct {
		status int
		kind   string
		body   string
		want   string
	}{
		"not found":              {status: 404, body: `{"errors":[{"code":"UNKNOWN"}]}`, want: "answered 404 Not Found for its page 2"},
		"a proxy's not found":    {status: 404, body: "404 page not found", want: "answered 404 Not Found for its page 2"},
		"an unknown repository":  {status: 404, body: `{"errors":[{"code":"NAME_UNKNOWN"}]}`, want: "answered 404 Not Found for its page 2"},
		"a bad request":          {status: 400, want: "answered 400 Bad Request for its page 2"},
		"an unknown method":      {status: 405, want: "answered 405 Method Not Allowed for its page 2"},
		"not acceptable":         {status: 406, want: "answered 406 Not Acceptable for its page 2"},
		"not implemented":        {status: 501, want: "fails (501 Not Implemented) for its page 2"},
		"broken":                 {status: 500, want: "fails (500 Internal Server Error)"},
		"no content":             {status: 204, want: "answered 204"},
		"another kind of page":   {status: 200, kind: "text/html", body: "<html>", want: "something else for its page 2"},
		"an object without list": {status: 200, kind: "application/json", body: "{}", want: "something else for its page 2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			subject := s.push(t, "team/web", "v1")
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if !strings.Contains(request.URL.Path, "/referrers/") {
					return false
				}
				if request.URL.Query().Get("page") == "2" {
					w.Header().Set("Content-Type", tt.kind)
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
					return true
				}
				w.Header().Set("Content-Type", indexType)
				w.Header().Set("Link", `<?page=2>; rel="next"`)
				_, _ = io.WriteString(w, list(0, 1))
				return true
			})
			client := newClient(t, registry.Config{})
			for range 2 { // The second time shows that nothing wrong was remembered.
				found, err := client.Referrers(t.Context(), registry.Access{}, subject, everything, 10)
				if failed := failure(t, err); !strings.Contains(failed.Cause, tt.want) {
					t.Errorf("Referrers = %+v, %v; want %q", found, err, tt.want)
				}
			}
		})
	}
}

func TestThatOneRepositoryLacksTheAPIHidesNoReferrersOfAnother(t *testing.T) {
	lacking := map[string]func(http.ResponseWriter){
		"not found by a registry": func(w http.ResponseWriter) {
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			w.WriteHeader(http.StatusNotFound)
		},
		"not found by a proxy": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"unsupported":          notFound(`{"errors":[{"code":"UNSUPPORTED"}]}`),
		"denied":               notFound(`{"errors":[{"code":"DENIED"}]}`),
	}
	for _, status := range []int{405, 406, 501} {
		lacking[fmt.Sprint(status)] = func(w http.ResponseWriter) { w.WriteHeader(status) }
	}
	for name, answer := range lacking {
		for first, want := range map[string]string{"the other is asked first": "stranger/x", "it is asked first": "team/web"} {
			t.Run(name+", "+first, func(t *testing.T) {
				s := newServer(t, ggcr.WithReferrersSupport(true))
				subject, other := s.push(t, "team/web", "v1"), s.push(t, "stranger/x", "v1")
				s.refer(t, subject, bundleType, "one")
				s.answer(func(w http.ResponseWriter, request *http.Request) bool {
					if !strings.Contains(request.URL.Path, "/v2/stranger/x/referrers/") {
						return false
					}
					answer(w)
					return true
				})
				client := newClient(t, registry.Config{})
				order := []string{"team/web", "stranger/x", "team/web"}
				if want == "stranger/x" {
					order = order[1:]
				}
				for _, repository := range order {
					ref := subject
					if repository == "stranger/x" {
						ref = other
					}
					found, err := client.Referrers(t.Context(), registry.Access{}, ref, everything, 10)
					if err != nil || (repository == "team/web") != (len(found.Descriptors) == 1 && !found.Fallback) {
						t.Errorf("Referrers of %s = %+v, %v", repository, found, err)
					}
				}
			})
		}
	}
}

// A gateway that loses one answer must not keep the tag in place of the API for minutes.
func TestARegistryThatWasSeenToHaveTheAPIIsAskedAgain(t *testing.T) {
	s := newServer(t, ggcr.WithReferrersSupport(true))
	subject := s.push(t, "team/web", "v1")
	s.refer(t, subject, bundleType, "one")
	client := newClient(t, registry.Config{})
	for i, broken := range []bool{false, true, false} {
		s.answer(nil)
		if broken {
			s.status("/referrers/", http.StatusMethodNotAllowed)
		}
		found, err := client.Referrers(t.Context(), registry.Access{}, subject, everything, 10)
		if err != nil || found.Fallback != broken || (len(found.Descriptors) == 0) != broken {
			t.Errorf("answer %d: Referrers = %+v, %v", i, found, err)
		}
	}
}
