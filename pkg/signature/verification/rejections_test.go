package verification

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestRejectionsAreBounded(t *testing.T) {
	tests := map[string]struct {
		junk int
		want int
		last string
	}{
		"few":             {junk: 3, want: 4},
		"as many as told": {junk: 15, want: 16},
		"one too many":    {junk: 16, want: 16, last: "and 2 more that did not count"},
		"a flood":         {junk: 300, want: 16, last: "and 286 more that did not count"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var r rejections
			near := proof.Rejection{Authority: "release", Reason: "is for another image"}
			for i := range tt.junk {
				if i == tt.junk/2 || i == tt.junk-1 {
					r.add(near)
				}
				r.add(proof.Rejection{Reason: fmt.Sprintf("junk %04d", i)})
			}
			got := r.list()
			if len(got) != tt.want {
				t.Errorf("%d are told, want %d", len(got), tt.want)
			}
			if !slices.Contains(got, near) && tt.junk < maxKept {
				t.Errorf("junk hides what came near: %+v", got)
			}
			if last := got[len(got)-1].Reason; tt.last != "" && last != tt.last {
				t.Errorf("the last is %q, want %q", last, tt.last)
			}
		})
	}
}

func TestReasonsAreOneShortLine(t *testing.T) {
	var r rejections
	r.add(proof.Rejection{PredicateType: "a\x1b[31mb", Reason: "first\nsecond\xff\r" + strings.Repeat("x", 5000)})
	got := r.list()[0]
	if diff := cmp.Diff("a?[31mb", got.PredicateType); diff != "" {
		t.Errorf("predicate type (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(got.Reason, "first; second??xxx") || len(got.Reason) > maxReason+8 {
		t.Errorf("reason is %q", got.Reason)
	}
}
