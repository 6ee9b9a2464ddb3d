package verification

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// maxAttestations of one digest that are kept. Each may have 64 KiB.
const maxAttestations = 64

// tidy brings evidence into an order that does not depend on which answer came first: by the policy's authorities, and
// of each the newest first. What says the same twice is kept once.
func tidy(evidence *proof.Evidence, authorities []*authority) {
	position, keys := map[string]int{}, map[string]bool{}
	for i, a := range authorities {
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
		return cmp.Or(cmp.Compare(a.PredicateType, b.PredicateType), order(a.Signature, b.Signature), bytes.Compare(a.Predicate, b.Predicate))
	})
	evidence.Attestations = slices.CompactFunc(evidence.Attestations, func(a, b proof.Attestation) bool {
		return a.PredicateType == b.PredicateType && a.Signature == b.Signature && bytes.Equal(a.Predicate, b.Predicate)
	})
	evidence.Attestations = newest(evidence.Attestations, keys)
}

// newest drops what a newer attestation of the same type by the same authority stands in for. Without a trusted time
// nobody can tell here which one is newer, so all of these are kept; and so are those by keys that differ: a statement
// of a key can be witnessed once more by anybody, which makes it no newer.
func newest(sorted []proof.Attestation, keys map[string]bool) []proof.Attestation {
	type group struct{ predicateType, authority, predicate string }
	seen := map[group]bool{}
	kept := slices.DeleteFunc(sorted, func(a proof.Attestation) bool {
		key := group{a.PredicateType, a.Authority, ""}
		if keys[a.Authority] {
			key.predicate = string(a.Predicate)
		}
		old := seen[key] && !a.Time.IsZero()
		seen[key] = seen[key] || !a.Time.IsZero()
		return old
	})
	return kept[:min(len(kept), maxAttestations)]
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
