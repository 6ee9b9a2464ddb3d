package registry_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

const (
	bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	indexType  = "application/vnd.oci.image.index.v1+json"
)

func everything(registry.Descriptor) bool { return true }

func digests(found registry.Referrers) []string {
	var all []string
	for _, descriptor := range found.Descriptors {
		all = append(all, descriptor.Digest)
	}
	slices.Sort(all)
	return all
}

func TestReferrersWithAndWithoutTheAPI(t *testing.T) {
	for name, supported := range map[string]bool{"with the API": true, "by the fallback tag": false} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, ggcr.WithReferrersSupport(supported))
			subject := s.push(t, "team/web", "v1")
			client := newClient(t, registry.Config{})
			found, err := client.Referrers(t.Context(), registry.Access{}, subject, everything, 10)
			if err != nil || len(found.Descriptors) != 0 {
				t.Fatalf("Referrers of an image without = %+v, %v", found, err)
			}
			want := []string{s.refer(t, subject, bundleType, "one"), s.refer(t, subject, "application/spdx+json", "two")}
			slices.Sort(want)
			found, err = client.Referrers(t.Context(), registry.Access{}, subject, everything, 10)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, digests(found)); diff != "" {
				t.Errorf("referrers (-want +got):\n%s", diff)
			}
			if found.Fallback == supported || found.Omitted != 0 {
				t.Errorf("Referrers = %+v", found)
			}
			only := func(d registry.Descriptor) bool { return d.ArtifactType == bundleType }
			found, err = client.Referrers(t.Context(), registry.Access{}, subject, only, 10)
			if err != nil || len(found.Descriptors) != 1 || found.Omitted != 0 {
				t.Errorf("Referrers of one type = %+v, %v", found, err)
			}
			found, err = client.Referrers(t.Context(), registry.Access{}, subject, everything, 1)
			if err != nil || len(found.Descriptors) != 1 || found.Omitted != 1 {
				t.Errorf("Referrers with a limit = %+v, %v", found, err)
			}
		})
	}
}

func TestThatTheAPIIsLackingIsRemembered(t *testing.T) {
	const byAPI, byTag = "/referrers/", "/manifests/sha256-"
	tests := map[string]struct {
		answer   func(http.ResponseWriter)
		remember bool
	}{
		"an unknown path":           {answer: notFound("404 page not found"), remember: true},
		"an unknown method":         {answer: notFound(`{"errors":[{"code":"METHOD_UNKNOWN"}]}`), remember: true},
		"another kind of page":      {answer: func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") }},
		"not implemented":           {answer: func(w http.ResponseWriter) { w.WriteHeader(501) }, remember: true},
		"an unknown repository":     {answer: notFound(`{"errors":[{"code":"NAME_UNKNOWN"}]}`)},
		"an unknown manifest":       {answer: notFound(`{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`)},
		"a request that it dislike": {answer: func(w http.ResponseWriter) { w.WriteHeader(400) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			subject := s.push(t, "team/web", "v1")
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if strings.Contains(request.URL.Path, byAPI) {
					tt.answer(w)
				}
				return strings.Contains(request.URL.Path, byAPI)
			})
			clock := clocktesting.NewFakeClock(time.Now())
			client := newClient(t, registry.Config{Clock: clock})
			asked := func(part string) bool {
				t.Helper()
				s.requests()
				found, err := client.Referrers(t.Context(), registry.Access{}, subject, everything, 10)
				if err != nil || !found.Fallback {
					t.Fatalf("Referrers = %+v, %v; want the fallback", found, err)
				}
				return slices.ContainsFunc(s.requests(), func(r string) bool { return strings.Contains(r, part) })
			}
			if !asked(byAPI) {
				t.Error("the API was not asked at first")
			}
			if asked(byAPI) == tt.remember {
				t.Errorf("remembered: %t, want %t", !tt.remember, tt.remember)
			}
			clock.Step(10 * time.Minute)
			if !asked(byAPI) {
				t.Error("the API was not asked again after 10 minutes")
			}
			if !asked(byTag) {
				t.Error("the tag was not asked")
			}
		})
	}
}

func notFound(body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, body)
	}
}

func TestThatReferrersCannotBeToldIsNoAnswer(t *testing.T) {
	for _, supported := range []bool{true, false} {
		part := "/manifests/"
		if supported {
			part = "/referrers/"
		}
		for _, status := range []int{401, 429, 503} {
			t.Run(fmt.Sprintf("%s %d", part, status), func(t *testing.T) {
				s := newServer(t, ggcr.WithReferrersSupport(supported))
				subject := s.push(t, "team/web", "v1")
				s.status(part, status)
				_, err := newClient(t, registry.Config{}).Referrers(t.Context(), registry.Access{}, subject, everything, 10)
				if failed := failure(t, err); failed.Status != status {
					t.Errorf("error = %+v", failed)
				}
			})
		}
	}
}

// pages answers the referrers API with made-up lists; link is the Link header of each page.
func (s *server) pages(link func(page int) string, page func(page int) string) {
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, "/referrers/") {
			return false
		}
		number, _ := strconv.Atoi(request.URL.Query().Get("page"))
		w.Header().Set("Content-Type", indexType)
		if l := link(number); l != "" {
			w.Header().Set("Link", l)
		}
		_, _ = io.WriteString(w, page(number))
		return true
	})
}

// list is an index of descriptors numbered from first.
func list(first, count int) string {
	var manifests []registry.Descriptor
	for i := range count {
		manifests = append(manifests, registry.Descriptor{
			MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: bundleType,
			Digest: numbered(first + i), Size: 1000,
			Annotations: map[string]string{
				"dev.sigstore.bundle.content":         "dsse-envelope",
				"dev.sigstore.bundle.predicateType":   "https://slsa.dev/provenance/v1",
				"org.opencontainers.image.created":    "2026-11-01T12:00:00Z",
				"org.opencontainers.image.ref.name":   strings.Repeat("x", 200),
				"org.opencontainers.image.base.name":  "registry.example.com/team/base:v1",
				"org.opencontainers.image.authorship": "the Rune authors",
			},
		})
	}
	content, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests})
	if err != nil {
		panic(err)
	}
	return string(content)
}

func numbered(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func TestPagesOfReferrers(t *testing.T) {
	tests := map[string]struct {
		link  func(int) string
		limit int
		// found and omitted are numbers; fails is part of the error.
		found, omitted int
		fails          string
	}{
		"three pages": {link: func(page int) string {
			return map[int]string{0: `</v2/team/web/referrers/DIGEST?page=1>; rel="next"`, 1: `<?page=2>; title="a,b"; rel=next`}[page]
		}, limit: 100, found: 30},
		"the limit within a page ends it": {link: func(page int) string {
			return fmt.Sprintf(`<?page=%d>; rel="next"`, page+1)
		}, limit: 15, found: 15, omitted: 5},
		"the limit at the end of a page": {link: func(page int) string {
			return fmt.Sprintf(`<?page=%d>; rel="next"`, page+1)
		}, limit: 10, found: 10, omitted: 1},
		"pages without an end": {link: func(page int) string {
			return fmt.Sprintf(`<?page=%d>; rel="next"`, page+1)
		}, limit: 1000, found: 320, omitted: 1},
		"a page that follows itself": {link: func(int) string { return `<?page=0>; rel="next"` }, limit: 1000, found: 320, omitted: 1},
		"another relation":           {link: func(int) string { return `<?page=1>; rel="prev"` }, limit: 100, found: 10},
		"a page on another host":     {link: func(int) string { return `<http://localhost:1/v2/team/web/referrers/DIGEST>; rel="next"` }, limit: 100, fails: "lies elsewhere"},
		"a page of another path":     {link: func(int) string { return `</v2/team/secret/referrers/DIGEST>; rel="next"` }, limit: 100, fails: "lies elsewhere"},
		"a page that is no URL":      {link: func(int) string { return `<:>; rel="next"` }, limit: 100, fails: "no URL"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			subject := s.reference(t, "team/web@"+someDigest)
			s.pages(
				func(page int) string { return strings.ReplaceAll(tt.link(page), "DIGEST", someDigest) },
				func(page int) string { return list(10*page, 10) })
			client := newClient(t, registry.Config{})
			found, err := client.Referrers(t.Context(), registry.Access{}, subject, everything, tt.limit)
			if tt.fails != "" {
				if failed := failure(t, err); !strings.Contains(failed.Cause, tt.fails) {
					t.Errorf("error = %v, want %q", err, tt.fails)
				}
				return
			}
			if err != nil || len(found.Descriptors) != tt.found || found.Omitted != tt.omitted {
				t.Errorf("Referrers = %d, %d omitted, %v; want %d, %d", len(found.Descriptors), found.Omitted, err, tt.found, tt.omitted)
			}
		})
	}
}

func TestAllPagesTogetherAreBounded(t *testing.T) {
	s := newServer(t)
	page := `{"manifests": [` + strings.Repeat(" ", 4<<20) + `{"digest": "` + someDigest + `"}]}`
	s.pages(func(page int) string { return fmt.Sprintf(`<?page=%d>; rel="next"`, page+1) }, func(int) string { return page })
	client := newClient(t, registry.Config{RequestTimeout: time.Minute})
	found, err := client.Referrers(t.Context(), registry.Access{}, s.reference(t, "team/web@"+someDigest), everything, 100)
	if err != nil || len(found.Descriptors) != 3 || found.Omitted != 1 {
		t.Errorf("Referrers = %d, %d omitted, %v; want the 3 of the first 16 MiB", len(found.Descriptors), found.Omitted, err)
	}
	if got := len(s.requests()); got != 5 {
		t.Errorf("%d requests were made, want a ping and 4 pages", got)
	}
}

func TestJunkAmongReferrersChangesNothing(t *testing.T) {
	good := fmt.Sprintf(`{"digest": %q, "size": 1}`, numbered(1))
	huge := strings.Repeat("x", 80<<10)
	tests := map[string]struct {
		body  string
		found int
		fails string
		// omitted entries, at least.
		omitted int
	}{
		"other types":               {body: `{"manifests": [1, null, "x", [], {"digest": 5}, {"size": "big"}, ` + good + `]}`, found: 1},
		"no digests":                {body: `{"manifests": [{}, {"digest": "sha256:x"}, {"digest": "sha512:` + strings.Repeat("a", 128) + `"}, ` + good + `]}`, found: 1},
		"a negative size":           {body: `{"manifests": [{"digest": "` + someDigest + `", "size": -1}, ` + good + `]}`, found: 1},
		"other fields":              {body: `{"x": {"manifests": [1]}, "annotations": {"a": "b"}, "manifests": [` + good + `], "y": []}`, found: 1},
		"null":                      {body: `{"manifests": null}`},
		"no list":                   {body: `{"schemaVersion": 2}`},
		"a number for the list":     {body: `{"manifests": 1}`, fails: "no list"},
		"a list for the index":      {body: `[` + good + `]`, fails: "no image index"},
		"no JSON":                   {body: `{"manifests": [` + good + `, }`, fails: "cannot be read"},
		"an end too early":          {body: `{"manifests": [` + good, fails: "ends early"},
		"nothing":                   {body: ``, fails: "ends early"},
		"an entry that is too big":  {body: `{"manifests": [{"annotations": {"a": "` + huge + `"}}, ` + good + `]}`, found: 1, omitted: 1},
		"a field that is too big":   {body: `{"x": "` + huge + `", "manifests": [` + good + `]}`, found: 1},
		"a name that is too big":    {body: `{"` + huge + `": 1, "manifests": [` + good + `]}`, found: 1},
		"a deep nest":               {body: `{"x": ` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `, "manifests": [` + good + `]}`, found: 1},
		"brackets in texts":         {body: `{"x": "]}\\\"]}", "manifests": [{"annotations": {"a": "]}\"]}"}}, ` + good + `]}`, found: 1},
		"a list that is too big":    {body: `{"manifests": [` + good + strings.Repeat(`,{"a": "`+huge[:4096]+`"}`, 4200) + `]}`, found: 1, omitted: 1},
		"an entry without an end":   {body: `{"manifests": [` + good + `, "` + strings.Repeat("x", 17<<20), found: 1, omitted: 1},
		"space that never ends":     {body: `{"manifests": [` + strings.Repeat(" ", 17<<20) + good + `]}`, omitted: 1},
		"a long list of empty ones": {body: `{"manifests": [` + strings.Repeat("{},", 100_000) + good + `]}`, found: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.pages(func(int) string { return "" }, func(int) string { return tt.body })
			client := newClient(t, registry.Config{RequestTimeout: time.Minute})
			found, err := client.Referrers(t.Context(), registry.Access{}, s.reference(t, "team/web@"+someDigest), everything, 10)
			switch {
			case tt.fails != "":
				if failed := failure(t, err); !strings.Contains(failed.Cause, tt.fails) {
					t.Errorf("error = %v, want %q", err, tt.fails)
				}
			case err != nil || len(found.Descriptors) != tt.found || found.Omitted != tt.omitted:
				t.Errorf("Referrers = %d, %d omitted, %v; want %d, %d", len(found.Descriptors), found.Omitted, err, tt.found, tt.omitted)
			}
		})
	}
}

// TestTenThousandReferrersTakeBoundedMemory measures what is alive while the last one is read.
func TestTenThousandReferrersTakeBoundedMemory(t *testing.T) {
	const count, limit = 10_000, 50
	body := list(0, count)
	for name, supported := range map[string]bool{"by the API": true, "by the tag": false} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.many(supported, body)
			client := newClient(t, registry.Config{RequestTimeout: time.Minute})
			subject := s.reference(t, "team/web@"+someDigest)
			before := alive()
			var peak uint64
			seen := 0
			found, err := client.Referrers(t.Context(), registry.Access{}, subject, func(registry.Descriptor) bool {
				if seen++; seen%2500 == 0 {
					peak = max(peak, alive())
				}
				return true
			}, limit)
			if err != nil || len(found.Descriptors) != limit || found.Omitted != count-limit || found.Fallback == supported {
				t.Fatalf("Referrers = %d, %d omitted, fallback %t, %v", len(found.Descriptors), found.Omitted, found.Fallback, err)
			}
			used := int64(peak) - int64(before)
			t.Logf("a list of %d bytes: %d bytes were alive at most", len(body), used)
			if used > 1<<20 {
				t.Errorf("reading the list kept %d bytes alive, want at most 1 MiB", used)
			}
		})
	}
}

func alive() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// many answers with one list, by the API or by the fallback tag.
func (s *server) many(supported bool, body string) {
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		part := "/manifests/sha256-"
		if supported {
			part = "/referrers/"
		}
		if !strings.Contains(request.URL.Path, part) {
			return false
		}
		w.Header().Set("Content-Type", indexType)
		_, _ = io.WriteString(w, body)
		return true
	})
}

func BenchmarkTenThousandReferrers(b *testing.B) {
	s := newServer(b)
	s.many(true, list(0, 10_000))
	client := newClient(b, registry.Config{})
	subject, err := image.Parse(s.host() + "/team/web@" + someDigest)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		found, err := client.Referrers(b.Context(), registry.Access{}, subject, everything, 50)
		if err != nil || len(found.Descriptors) != 50 {
			b.Fatal(found, err)
		}
	}
}
