package proof

// matchSigners gives to as many authorities as possible one of their signatures, no two of them by the same signer, and
// returns it for each authority; nil where there is none. So one key that stands in a policy under two names counts
// once, and so do two signatures by one identity. More signatures never match fewer authorities.
func matchSigners(byAuthority [][]*Signature) []*Signature {
	m := matching{byAuthority: byAuthority, holder: map[string]int{}, counted: make([]*Signature, len(byAuthority))}
	for i := range byAuthority {
		m.give(i, map[string]bool{})
	}
	return m.counted
}

// matching is a maximum matching of a bipartite graph in the making, by augmenting paths.
type matching struct {
	byAuthority [][]*Signature
	// holder of a signer is the authority that it counts for.
	holder  map[string]int
	counted []*Signature
}

// give finds a signer for an authority, if need be by giving another one to who has it. Signers that were tried are
// not tried again.
func (m *matching) give(authority int, tried map[string]bool) bool {
	for _, signature := range m.byAuthority[authority] {
		if tried[signature.Signer] {
			continue
		}
		tried[signature.Signer] = true
		holder, held := m.holder[signature.Signer]
		if held && !m.give(holder, tried) {
			continue
		}
		m.holder[signature.Signer] = authority
		m.counted[authority] = signature
		return true
	}
	return false
}
