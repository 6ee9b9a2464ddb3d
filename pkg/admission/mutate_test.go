package admission_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestPodsArePinnedToWhatTheirTagsName(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules.Images = &v1alpha1.ImageRules{Pin: v1alpha1.PinPods}
	original := pod(`{"futureOfThePod":true,"containers":[{"name":"app","image":"R.LOCAL/web:v1","fieldOfTheFuture":7},{"name":"b","image":"r.local/web@` + digestTwo + `"}],` +
		`"initContainers":[{"name":"c","image":"r.local/web:v2"}],"volumes":[{"name":"v","image":{"reference":"r.local/web:v2"}}]}`)
	response, patched := w.mutate(review{object: original, user: user("ann")})
	requireAllowed(t, response)
	want := pod(`{"futureOfThePod":true,"containers":[{"name":"app","image":"r.local/web:v1@` + digestOne + `","fieldOfTheFuture":7},{"name":"b","image":"r.local/web@` + digestTwo + `"}],` +
		`"initContainers":[{"name":"c","image":"r.local/web:v2@` + digestTwo + `"}],"volumes":[{"name":"v","image":{"reference":"r.local/web:v2@` + digestTwo + `"}}]}`)
	var gotTree, wantTree any
	if err := errors.Join(json.Unmarshal(patched, &gotTree), json.Unmarshal(want, &wantTree)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantTree, gotTree); diff != "" {
		t.Errorf("pinned Pod (-want +got):\n%s", diff)
	}
	if again, _ := w.mutate(review{object: patched, user: user("ann")}); again.Patch != nil {
		t.Errorf("pinned twice, the patch is %s, want none", again.Patch)
	}
}

func TestWhatIsVerifiedIsWhatRuns(t *testing.T) {
	w := newWorld(t)
	signaturesOnly(w)
	_, patched := w.mutate(review{object: podOf("r.local/web:v1"), user: user("ann")})
	// The tag moves to an unsigned image between the two questions.
	w.digests["r.local/web:v1"] = digestBad
	requireAllowed(t, w.validate(review{object: patched, user: user("ann")}))
	if diff := cmp.Diff([]string{digestOne}, w.verified); diff != "" || !strings.Contains(string(patched), digestOne) {
		t.Errorf("verified digests (-want +got):\n%s\nin %s", diff, patched)
	}
	_, patched = w.mutate(review{object: podOf("r.local/web:v1"), user: user("ann")})
	requireRefused(t, w.validate(review{object: patched, user: user("ann")}), digestBad, "does not satisfy ImagePolicy")
}

func TestAPodThatCannotBePinnedIsRefusedWithTheCause(t *testing.T) {
	tests := map[string]struct {
		rules v1alpha1.Rules
		want  []string
	}{
		"pin alone":          {rules: v1alpha1.Rules{Images: &v1alpha1.ImageRules{}}, want: []string{"must be named by its digest (@sha256:…), which could not be found out: registry down  [pin]"}},
		"pin and signatures": {rules: v1alpha1.Rules{Signatures: &v1alpha1.SignatureRules{}}, want: []string{"must be named by its digest (@sha256:…), which could not be found out  [pin]", "could not be checked: registry down  [signatures]"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules = tt.rules
			w.down["images"] = errors.New("registry down")
			response, patched := w.mutate(review{object: podOf("r.local/web:v1"), user: user("ann")})
			requireAllowed(t, response)
			requireRefused(t, w.validate(review{object: patched, user: user("ann")}), tt.want...)
		})
	}
}

func TestOnlyNewImagesOfARunningPodArePinned(t *testing.T) {
	w := newWorld(t)
	signaturesOnly(w)
	old := pod(`{"containers":[{"name":"app","image":"r.local/web:v1"}]}`)
	debug := pod(`{"containers":[{"name":"app","image":"r.local/web:v1"}],"ephemeralContainers":[{"name":"debug","image":"r.local/web:v2"}]}`)
	response, patched := w.mutate(review{object: debug, old: old, user: user("ann"), subresource: "ephemeralcontainers"})
	requireAllowed(t, response)
	want := `[{"op":"replace","path":"/spec/ephemeralContainers/0/image","value":"r.local/web:v2@` + digestTwo + `"}]`
	if diff := cmp.Diff(want, string(response.Patch)); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
	requireAllowed(t, w.validate(review{object: patched, old: old, user: user("ann"), subresource: "ephemeralcontainers"}))
}

func TestWorkloadsKeepTheirTags(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules = strict()
	response, _ := w.mutate(review{object: deployment("web", "", template("r.local/web:v1")), user: user("ann")})
	requireAllowed(t, response)
	if response.Patch != nil {
		t.Errorf("patch = %s, want none", response.Patch)
	}
}

func TestNothingIsPinnedWhereTheRulesDoNotAsk(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules.Images = &v1alpha1.ImageRules{Pin: v1alpha1.PinNever}
	if response, _ := w.mutate(review{object: podOf("r.local/web:v1"), user: user("ann")}); response.Patch != nil {
		t.Errorf("patch = %s, want none", response.Patch)
	}
}

// Both sides' entries have one name, and of two audit annotations of one key the API server keeps the first.
func TestTheMutatingSideLeavesTheAuditAnnotationsToTheVerdict(t *testing.T) {
	w := newWorld(t)
	signaturesOnly(w)
	response, patched := w.mutate(review{object: podOf("r.local/web:v1"), user: user("ann")})
	requireAllowed(t, response)
	if len(response.AuditAnnotations) > 0 {
		t.Errorf("the mutating side annotates %v, want nothing", response.AuditAnnotations)
	}
	if verdict := w.validate(review{object: patched, user: user("ann")}).AuditAnnotations[admission.AuditVerdict]; verdict != admission.VerdictAllowed {
		t.Errorf("the validating side annotates the verdict %q", verdict)
	}
}
