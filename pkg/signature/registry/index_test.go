package registry

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kjson "sigs.k8s.io/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// FuzzReadIndex checks that whatever a registry sends ends in descriptors that are well formed or in
// an error, and that a list which can be read as a whole is read alike piece by piece.
func FuzzReadIndex(f *testing.F) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for _, seed := range []string{
		`{}`, `{"manifests":null}`, `{"manifests":[{}]}`, `{"manifests":[{"digest":"` + digest + `","size":1}],"x":{"y":[1,2]}}`,
		`{"manifests":[1,"x",{"digest":"` + digest + `","annotations":{"a":"b"}}]}`, `[`, `{"manifests":{}}`, `{"manifests":[{"size":1e400}]}`, "null", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got []Descriptor
		oversized, read, err := readIndex(strings.NewReader(string(body)), 1<<20, func(d Descriptor) { got = append(got, d) })
		if read > int64(len(body)) || (oversized > 0 && len(body) <= maxDescriptor) {
			t.Errorf("%d bytes were read of %d, %d entries were too large", read, len(body), oversized)
		}
		for _, d := range got {
			if !image.ValidDigest(d.Digest) || d.Size < 0 {
				t.Errorf("a descriptor that is none: %+v", d)
			}
		}
		want, readable := readWhole(body)
		if !readable || len(body) > maxDescriptor {
			return
		}
		if err != nil {
			t.Fatalf("what can be read as a whole fails: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("whole and piece by piece differ:\n%s", diff)
		}
	})
}

// readWhole reads an index in memory; it does not read one with a field twice.
func readWhole(body []byte) ([]Descriptor, bool) {
	var index struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if !strings.HasPrefix(strings.TrimLeft(string(body), " \t\r\n"), "{") {
		return nil, false
	}
	problems, err := kjson.UnmarshalStrict(body, &index, kjson.DisallowDuplicateFields)
	if err != nil || len(problems) > 0 {
		return nil, false
	}
	var all []Descriptor
	for _, raw := range index.Manifests {
		var d Descriptor
		if json.Unmarshal(raw, &d) == nil && image.ValidDigest(d.Digest) && d.Size >= 0 {
			all = append(all, d)
		}
	}
	return all, true
}

func TestNextLink(t *testing.T) {
	tests := map[string]string{
		``:                                      "",
		`<a>; rel="next"`:                       "a",
		`<a>; rel=next`:                         "a",
		`<a>;REL="NEXT"`:                        "a",
		`<a>; rel="first", <b>; rel="next"`:     "b",
		`<a>; title="x"; rel="next"`:            "a",
		`<a?x=1,2>; rel="next"`:                 "a?x=1,2",
		`<a>; rel="prev"`:                       "",
		`<a>; rel="last next"`:                  "a",
		`<a>; title="b,c;d"; rel=next`:          "a",
		`<a`:                                    "",
		`a; rel="next"`:                         "",
		`<a>`:                                   "",
		`<a>; rel="nextish"`:                    "",
		`<a>; rel="prev", <b>; rel="next", <c>`: "b",
	}
	for value, want := range tests {
		if got, found := nextLink(value); got != want || found != (want != "") {
			t.Errorf("nextLink(%q) = %q, %t; want %q", value, got, found, want)
		}
	}
}

func BenchmarkReadIndex(b *testing.B) {
	entry := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("a", 64) +
		`","size":1000,"annotations":{"dev.sigstore.bundle.predicateType":"https://slsa.dev/provenance/v1","note":"` + strings.Repeat("x", 400) + `"}}`
	body := `{"manifests":[` + strings.Repeat(entry+",", 9_999) + entry + `]}`
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := readIndex(strings.NewReader(body), maxIndex, func(Descriptor) {}); err != nil {
			b.Fatal(err)
		}
	}
}
