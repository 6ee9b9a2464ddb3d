package verification

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// maxAttestations of one type by one authority that are kept. Each may have 64 KiB.
const maxAttestations = 64

// tidy brings evidence into an order that does not depend on which answer came first: by the policy's authorities, and
// of each the newest first. What says the same twice is kept once, and of attestations what can be the newest.
func tidy(c *collection, now time.Time) {
	evidence := &c.evidence
	position, keys := map[string]int{}, map[string]bool{}
	for i, a := range c.authorities {
		position[a.name], keys[a.name] = i, a.key != nil
	}
	order := func(a, b proof.Signature) int {
		return cmp.Or(
			cmp.Compare(position[a.Authority], position[b.Authority]), b.Time.Compare(a.Time),
			cmp.Compare(a.Signer, b.Signer), cmp.Compare(a.Format, b.Format),
		)
	}
	slices.SortFunc(evidence.Signatures, order)
	evidence.Signatures = slices.Compact(evidence.Signatures)
	slices.SortFunc(evidence.Attestations, func(a, b proof.Attestation) int {
		return cmp.Or(
			cmp.Compare(a.PredicateType, b.PredicateType), order(a.Signature, b.Signature),
			bytes.Compare(a.Predicate, b.Predicate), cmp.Compare(a.Unreadable, b.Unreadable),
		)
	})
	evidence.Attestations = slices.CompactFunc(evidence.Attestations, func(a, b proof.Attestation) bool {
		return a.PredicateType == b.PredicateType && a.Signature == b.Signature && bytes.Equal(a.Predicate, b.Predicate) && a.Unreadable == b.Unreadable
	})
	made := func(a *proof.Attestation) time.Time { return a.Made(keys[a.Authority]) }
	evidence.Attestations = newest(evidence.Attestations, made, now)
	c.dropCrowds()
}

// statements are those of one type by one authority.
type statements struct{ predicateType, authority string }

// newest drops what cannot be the newest of its type by its authority at any judgement to come: what is older than
// another one that is not of the future. Made is when a judgement takes them to be made.
func newest(list []proof.Attestation, made func(*proof.Attestation) time.Time, now time.Time) []proof.Attestation {
	latest := map[statements]time.Time{}
	for i := range list {
		of := statements{list[i].PredicateType, list[i].Authority}
		if at := made(&list[i]); !proof.Ahead(at, now) && at.After(latest[of]) {
			latest[of] = at
		}
	}
	return slices.DeleteFunc(list, func(a proof.Attestation) bool {
		return made(&a).Before(latest[statements{a.PredicateType, a.Authority}])
	})
}

// dropCrowds drops all attestations of a type of which there are more than are kept that could each be the newest.
func (c *collection) dropCrowds() {
	count := map[statements]int{}
	crowded := map[string]bool{}
	for i := range c.evidence.Attestations {
		a := &c.evidence.Attestations[i]
		of := statements{a.PredicateType, a.Authority}
		if count[of]++; count[of] > maxAttestations {
			crowded[a.PredicateType] = true
		}
	}
	for _, predicateType := range slices.Sorted(maps.Keys(crowded)) {
		c.rejected.add(proof.Rejection{PredicateType: predicateType, Incomplete: true, Reason: fmt.Sprintf(
			"more than %d attestations of the same time, or of none, lie beside it, so nobody knows which is the newest: remove old ones (cosign attest --replace)", maxAttestations)})
	}
	c.evidence.Attestations = slices.DeleteFunc(c.evidence.Attestations, func(a proof.Attestation) bool { return crowded[a.PredicateType] })
}

// distinct leaves out errors that say the same.
func distinct(list []error) []error {
	var kept []error
	for _, err := range list {
		if !slices.ContainsFunc(kept, func(other error) bool { return other.Error() == err.Error() }) {
			kept = append(kept, err)
		}
	}
	return kept
}
