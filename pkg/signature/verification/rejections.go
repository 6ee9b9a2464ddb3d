package verification

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

const (
	// maxRejections is how many are told.
	maxRejections = 16
	// maxKept is how many are kept to choose from: more than there can be candidates of one image.
	maxKept = 2*maxLayers + 2*maxReferrers + maxRejections
	// maxReason bounds one reason, in bytes: strangers' certificates stand in it.
	maxReason = 1 << 10
)

// rejections are bounded, as anybody who may push can cause them. Equal ones are told once.
type rejections struct {
	kept    []proof.Rejection
	dropped int
}

func (r *rejections) add(one proof.Rejection) {
	one.Reason = oneLine(one.Reason, maxReason)
	one.PredicateType = oneLine(one.PredicateType, maxQuoted)
	switch {
	case slices.Contains(r.kept, one):
	case len(r.kept) >= maxKept && !one.Incomplete:
		r.dropped++
	default:
		r.kept = append(r.kept, one)
	}
}

// oneLine is what may stand in a message: joined errors stand on lines of their own, and strangers' text may hold
// whatever steers a terminal.
func oneLine(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// urgency orders what is told where there is too much of it: that not all was looked at, what came near to an
// authority, and junk.
func urgency(r proof.Rejection) int {
	switch {
	case r.Incomplete:
		return 0
	case r.Authority != "":
		return 1
	}
	return 2
}

// list is sorted, so that equal images have equal evidence.
func (r *rejections) list() []proof.Rejection {
	list := slices.Clone(r.kept)
	order := func(a, b proof.Rejection) int {
		return cmp.Or(
			cmp.Compare(a.Format, b.Format), cmp.Compare(a.Authority, b.Authority),
			cmp.Compare(a.PredicateType, b.PredicateType), cmp.Compare(a.Reason, b.Reason),
		)
	}
	slices.SortFunc(list, func(a, b proof.Rejection) int {
		return cmp.Or(urgency(a)-urgency(b), order(a, b))
	})
	dropped := r.dropped
	if len(list)+min(dropped, 1) > maxRejections {
		dropped += len(list) - (maxRejections - 1)
		list = list[:maxRejections-1]
	}
	slices.SortFunc(list, order)
	if dropped > 0 {
		list = append(list, proof.Rejection{Reason: fmt.Sprintf("and %d more that did not count", dropped)})
	}
	return list
}
