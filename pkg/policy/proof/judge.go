package proof

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/expression"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// maxRejections that one reason tells of.
const maxRejections = 3

// Context is what a judgement depends on beside Evidence.
type Context struct {
	// Image by digest: Evidence about another digest satisfies nothing.
	Image       image.Reference
	Environment string
	Now         time.Time
}

// Judge tells whether Evidence satisfies the Requirement, and why not. Its outcome does not depend on the order of the
// Evidence. It changes neither.
func (r *Requirement) Judge(evidence *Evidence, in Context) Outcome {
	if evidence == nil {
		evidence = &Evidence{}
	}
	if evidence.Digest == "" || evidence.Digest != in.Image.Digest {
		return Outcome{Reasons: []string{fmt.Sprintf("nothing was verified of %s", cmp.Or(in.Image.Digest, "an image without a digest"))}}
	}
	j := judgement{Requirement: r, evidence: evidence, in: in, ended: map[string]time.Time{}, budget: expression.NewBudget()}
	for i := range r.policy.Spec.Authorities {
		authority := &r.policy.Spec.Authorities[i]
		if key := authority.Key; key != nil && key.NotAfter != nil && !in.Now.Before(key.NotAfter.Time) {
			j.ended[authority.Name] = key.NotAfter.Time
		}
	}
	var outcome Outcome
	if r.SignaturesAsked() {
		j.signatures(&outcome)
	}
	for i := range r.attestations {
		j.attestation(&outcome, &r.attestations[i])
	}
	outcome.Satisfied = len(outcome.Reasons) == 0
	return outcome
}

// judgement of one Evidence at one time.
type judgement struct {
	*Requirement
	evidence *Evidence
	in       Context
	// ended are the authorities whose key's time is over, and since when.
	ended map[string]time.Time
	// budget that all conditions share.
	budget *expression.Budget
}

// signatures judges who signed the image.
func (j *judgement) signatures(outcome *Outcome) {
	authorities := j.policy.Spec.Authorities
	byAuthority := make([][]*Signature, len(authorities))
	for i := range authorities {
		byAuthority[i] = j.signaturesBy(authorities[i].Name)
	}
	counted := matchSigners(byAuthority)
	outcome.Authorities = make([]AuthorityOutcome, len(authorities))
	count := 0
	for i := range authorities {
		one := AuthorityOutcome{Name: authorities[i].Name, Signed: len(byAuthority[i]) > 0}
		switch {
		case counted[i] != nil:
			count++
			one.Signature = new(*counted[i])
		case one.Signed:
			one.Signature = new(*byAuthority[i][0])
			one.Reason = "whoever signed for it counts for another authority already"
		default:
			one.Reason = j.unsignedReason(authorities[i].Name)
		}
		outcome.Authorities[i] = one
	}
	if reason := j.quorumReason(outcome.Authorities, count); reason != "" {
		outcome.Reasons = append(outcome.Reasons, reason)
	}
}

// signaturesBy returns what counts as signed by an authority, the latest first.
func (j *judgement) signaturesBy(authority string) []*Signature {
	if _, ended := j.ended[authority]; ended {
		return nil
	}
	var list []*Signature
	for i := range j.evidence.Signatures {
		if signature := &j.evidence.Signatures[i]; signature.Authority == authority {
			list = append(list, signature)
		}
	}
	slices.SortFunc(list, compareSignatures)
	return list
}

// compareSignatures puts later ones first and otherwise has an order only so that it is always the same.
func compareSignatures(a, b *Signature) int {
	return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Signer, b.Signer), cmp.Compare(a.Format, b.Format), cmp.Compare(a.Authority, b.Authority))
}

// required is how many distinct authorities must have signed.
func (r *Requirement) required() int {
	switch r.policy.Spec.Require {
	case v1alpha1.RequireAll:
		return len(r.policy.Spec.Authorities)
	case v1alpha1.RequireAtLeast:
		return int(*r.policy.Spec.AtLeast)
	}
	return 1
}

// quorumReason says why not enough have signed; it is empty where enough have.
func (j *judgement) quorumReason(authorities []AuthorityOutcome, count int) string {
	required := j.required()
	if count >= required {
		return ""
	}
	var names, each, reasons []string
	for i, authority := range authorities {
		if authority.Reason == "" {
			continue
		}
		name := label(&j.policy.Spec.Authorities[i])
		names = append(names, name)
		each = append(each, name+": "+authority.Reason)
		reasons = append(reasons, authority.Reason)
	}
	who, why := strings.Join(names, ", "), strings.Join(each, "; ")
	same := len(slices.Compact(reasons)) == 1
	switch {
	case required == 1 && same:
		return fmt.Sprintf("not signed by any authority (%s): %s", who, reasons[0])
	case required == 1:
		return "not signed by any authority: " + why
	case same:
		why = who + ": " + reasons[0]
	}
	return fmt.Sprintf("signed by %d of the %d distinct authorities that must sign; missing: %s", count, required, why)
}

// label is how messages name an authority.
func label(authority *v1alpha1.Authority) string {
	if authority.Keyless != nil {
		return fmt.Sprintf("identity %q", authority.Name)
	}
	return fmt.Sprintf("key %q", authority.Name)
}

// unsignedReason says why nothing counts as signed by an authority.
func (j *judgement) unsignedReason(authority string) string {
	if end, ended := j.ended[authority]; ended {
		return "its time ended at " + end.UTC().Format(time.RFC3339)
	}
	rejected := j.rejections(func(r Rejection) bool {
		return (r.PredicateType == "" || r.PredicateType == SignaturePredicateType) && (r.Authority == "" || r.Authority == authority)
	})
	switch {
	case rejected != "":
		return rejected
	case len(j.evidence.Signatures) > 0:
		return "it has signatures by others only"
	}
	return "it has no signatures"
}

// rejections tells of a part of what did not count, each reason once, sorted and bounded; first that not all was
// looked at.
func (j *judgement) rejections(about func(Rejection) bool) string {
	var incomplete, reasons []string
	for _, rejection := range j.evidence.Rejected {
		switch {
		case !about(rejection):
		case rejection.Incomplete:
			incomplete = append(incomplete, rejection.Reason)
		default:
			reasons = append(reasons, rejection.Reason)
		}
	}
	slices.Sort(incomplete)
	slices.Sort(reasons)
	reasons = append(slices.Compact(incomplete), slices.Compact(reasons)...)
	if more := len(reasons) - maxRejections; more > 0 {
		reasons = append(reasons[:maxRejections], fmt.Sprintf("and %d more reasons", more))
	}
	return strings.Join(reasons, "; ")
}
