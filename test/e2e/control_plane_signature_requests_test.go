//go:build e2e

package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	imageref "github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// TestControlPlaneSignatureRequests: how often a registry is asked, by its own count. The webhook has asked
// it about another image before, so that it knows how to authenticate.
func TestControlPlaneSignatureRequests(t *testing.T) {
	s := shared.signing(t, "counted", registry.Options{Referrers: true})
	s.process(t)
	tag, bundle, either := s.policy("tag", s.release), s.policy("bundle", s.release), s.policy("either", s.release)
	tag.Spec.Formats = []v1alpha1.SignatureFormat{v1alpha1.FormatTag}
	bundle.Spec.Formats = []v1alpha1.SignatureFormat{v1alpha1.FormatBundle}
	s.enforce(t, tag, bundle, either)

	tests := map[string]struct {
		folder string
		sign   func(ref imageref.Reference) error
		want   int
	}{
		"a key's signature under a tag, where the policy names the format": {"tag", s.signTag, 2},
		"a key's bundle, where the policy names the format":                {"bundle", s.signBundle, 3},
		"a key's signature under a tag, of a format to be found out":       {"either", s.signTag, 3},
		"a key's bundle, of a format to be found out":                      {"either", s.signBundle, 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			warm := s.push(t, tt.folder+"/warm", "v1")
			must(t, tt.sign(warm))
			s.known(t, warm)
			s.Forget()
			for range 10 {
				s.admitted(t, runs(digested(warm)))
			}
			if got := s.Requests(); len(got) != 0 {
				t.Errorf("10 admissions of a verified image asked the registry: %s", got)
			}
			cold := s.push(t, tt.folder+"/cold", "v1")
			must(t, tt.sign(cold))
			s.admitted(t, runs(digested(cold)))
			t.Logf("a new image by digest: %s", s.Requests())
			if got := s.Requests(); !plausible(got, tt.want) || got[registry.Ping] > 0 {
				t.Errorf("a new image asked the registry %s, want %d requests", got, tt.want)
			}
			s.hundred(t, tt.folder, tt.sign, tt.want)
		})
	}
}

// plausible tells whether there were no more requests than wanted, and as many as any verification needs: without a
// webhook there would be none.
func plausible(got registry.Counts, want int) bool { return got.Total() >= 2 && got.Total() <= want }

// hundred admissions at once of one new image ask for as much as one.
func (s *signing) hundred(t *testing.T, folder string, sign func(imageref.Reference) error, want int) {
	t.Helper()
	ref := s.push(t, folder+"/rush", "v1")
	must(t, sign(ref))
	s.Forget()
	answers := make([]answer, 100)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = s.try(t, runs(digested(ref))) })
	}
	group.Wait()
	for _, answer := range answers {
		if answer.err != nil {
			t.Fatal(answer.err)
		}
	}
	t.Logf("100 admissions at once of a new image: %s", s.Requests())
	if got := s.Requests(); !plausible(got, want) {
		t.Errorf("100 admissions at once of one new image asked the registry %s, want %d requests", got, want)
	}
}

func (s *signing) signTag(ref imageref.Reference) error    { return s.Sign(ref, s.release) }
func (s *signing) signBundle(ref imageref.Reference) error { return s.SignBundle(ref, s.release) }

// TestControlPlaneSignatureTagRequests: a tag is asked for at each admission, and only that.
func TestControlPlaneSignatureTagRequests(t *testing.T) {
	s := shared.signing(t, "counted-tags", registry.Options{})
	s.process(t)
	s.enforce(t, s.policy("shop", s.release))
	ref := s.signed(t, "shop/web", "v1")
	s.known(t, ref)
	s.Forget()
	const admissions = 10
	for range admissions {
		s.admitted(t, runs(tagged(ref)))
	}
	want := registry.Counts{registry.Head: admissions}
	if got := s.Requests(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d admissions by tag asked the registry: %s, want %s", admissions, got, want)
	}
}
