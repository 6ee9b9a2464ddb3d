package verification

import (
	"errors"
	"fmt"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// place is where something lies that may be of use.
type place struct {
	format v1alpha1.SignatureFormat
	// hint is the predicate type that is said of it; empty where none is said.
	hint string
	// signatures tells that there can be no attestations.
	signatures bool
}

// of is where a layer under a tag lies.
func (p place) of(l layer) place {
	if !p.signatures {
		p.hint = hintedBy(l)
	}
	return p
}

// errTooLarge says that something is not read.
var errTooLarge = errors.New("it is too large to be read")

// isTooLarge tells whether something is there that may be what is asked for, and that is too much to be read.
func isTooLarge(err error) bool {
	return errors.Is(err, errTooLarge) || errors.Is(err, errStructure) || errors.Is(err, registry.ErrTooLarge)
}

// whyTooLarge is shorter than what a registry says.
func whyTooLarge(err error) string {
	if errors.Is(err, errStructure) {
		return err.Error()
	}
	return errTooLarge.Error()
}

// leave says that not all of a place was looked at, and why no attestation of the types that it may hold counts: the
// newest of them could be among what was left. The signatures that were looked at count all the same.
func (c *collection) leave(from place, signatures, attestations string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requirement.SignaturesAsked() && (from.hint == "" || from.hint == proof.SignaturePredicateType) {
		c.rejected.add(proof.Rejection{Format: from.format, Reason: signatures, Incomplete: true})
	}
	if from.signatures {
		return
	}
	for _, predicateType := range c.requirement.PredicateTypes() {
		if saysNothing(from.hint) || from.hint == predicateType {
			c.left[predicateType] = append(c.left[predicateType], proof.Rejection{
				Format: from.format, PredicateType: predicateType, Incomplete: true,
				Reason: attestations + ", so nobody knows which is the newest: remove old ones (cosign attest --replace)",
			})
		}
	}
}

// saysNothing tells whether a hint leaves open of which type something is: that it is a signature is what cosign 2 says
// of every attestation that it makes by a signing configuration.
func saysNothing(hint string) bool { return hint == "" || hint == proof.SignaturePredicateType }

// leaveContent leaves what is too much to be read.
func (c *collection) leaveContent(from place, why string) {
	c.leave(from, why, "not all attestations that lie beside it can be read ("+why+")")
}

// leaveMore leaves all but those that are tried, of which what tells.
func (c *collection) leaveMore(from place, tried int, what string) {
	c.leave(from, fmt.Sprintf("only %d %s were tried, and there are more", tried, what), fmt.Sprintf("more than %d attestations lie beside it", tried))
}

// dropIncomplete takes out the attestations of which the newest may not have been looked at.
func (c *collection) dropIncomplete() {
	if len(c.left) == 0 {
		return
	}
	c.evidence.Attestations = slices.DeleteFunc(c.evidence.Attestations, func(a proof.Attestation) bool {
		return len(c.left[a.PredicateType]) > 0
	})
	for _, reasons := range c.left {
		for _, one := range reasons {
			c.rejected.add(one)
		}
	}
}
