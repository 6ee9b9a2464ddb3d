package verification

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

const (
	// maxRejections is how many are told.
	maxRejections = 16
	// maxReason bounds one reason, in bytes: strangers' certificates stand in it.
	maxReason = 1 << 10
)

// rejections are bounded, as anybody who may push can cause them. Equal ones are told once.
type rejections struct {
	kept    []proof.Rejection
	dropped int
}

func (r *rejections) add(one proof.Rejection) {
	one.Reason = strings.ReplaceAll(one.Reason, "\n", "; ") // joined errors stand on lines of their own
	if len(one.Reason) > maxReason {
		one.Reason = one.Reason[:maxReason] + "…"
	}
	if len(one.PredicateType) > maxQuoted {
		one.PredicateType = one.PredicateType[:maxQuoted] + "…"
	}
	switch {
	case slices.Contains(r.kept, one):
	case len(r.kept) == maxRejections-1:
		r.dropped++
	default:
		r.kept = append(r.kept, one)
	}
}

// list is sorted, so that equal images have equal evidence.
func (r *rejections) list() []proof.Rejection {
	list := slices.Clone(r.kept)
	slices.SortFunc(list, func(a, b proof.Rejection) int {
		return cmp.Or(
			cmp.Compare(a.Format, b.Format), cmp.Compare(a.Authority, b.Authority),
			cmp.Compare(a.PredicateType, b.PredicateType), cmp.Compare(a.Reason, b.Reason),
		)
	})
	if r.dropped > 0 {
		list = append(list, proof.Rejection{Reason: fmt.Sprintf("and %d more that did not count", r.dropped)})
	}
	return list
}
