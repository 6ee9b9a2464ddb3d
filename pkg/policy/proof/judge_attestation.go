package proof

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// attestation judges one that the policy asks for.
func (j *judgement) attestation(outcome *Outcome, required *attestation) {
	one := AttestationOutcome{Name: required.Name, PredicateType: required.uri}
	latest := j.latest(required)
	if len(latest) == 0 {
		one.Reasons = []string{j.missingReason(required)}
	}
	for i, candidate := range latest {
		reasons := j.statementReasons(required, candidate)
		if i == 0 || len(reasons) == 0 {
			one.Signature, one.Time, one.Reasons = new(candidate.Signature), candidate.time, reasons
		}
		if len(reasons) == 0 {
			break
		}
	}
	one.Satisfied = len(one.Reasons) == 0
	for _, reason := range one.Reasons {
		outcome.Reasons = append(outcome.Reasons, fmt.Sprintf("attestation %q: %s", required.Name, reason))
	}
	outcome.Attestations = append(outcome.Attestations, one)
}

// statement is an attestation with the time by which its age is judged.
type statement struct {
	*Attestation
	time time.Time
}

// latest returns the statements of the required type, by the required authorities, that have the latest time. Where
// several have it, as where none has a time, one that holds suffices.
func (j *judgement) latest(required *attestation) []statement {
	var list []statement
	for i := range j.evidence.Attestations {
		candidate := &j.evidence.Attestations[i]
		_, ended := j.ended[candidate.Authority]
		if ended || candidate.PredicateType != required.uri || !j.mayAttest(required, candidate.Authority) {
			continue
		}
		list = append(list, statement{candidate, attestationTime(candidate, j.isKey(candidate.Authority), j.in.Now)})
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b statement) int {
		return cmp.Or(b.time.Compare(a.time), compareSignatures(&a.Signature, &b.Signature), cmp.Compare(string(a.Predicate), string(b.Predicate)))
	})
	older := slices.IndexFunc(list, func(s statement) bool { return !s.time.Equal(list[0].time) })
	if older >= 0 {
		list = list[:older]
	}
	return list
}

// isKey tells whether an authority of the policy is a key.
func (j *judgement) isKey(authority string) bool {
	return slices.ContainsFunc(j.policy.Spec.Authorities, func(a v1alpha1.Authority) bool { return a.Name == authority && a.Key != nil })
}

// mayAttest tells whether an authority of the policy is one of those that an attestation names.
func (j *judgement) mayAttest(required *attestation, authority string) bool {
	if len(required.Authorities) > 0 {
		return slices.Contains(required.Authorities, authority)
	}
	for i := range j.policy.Spec.Authorities {
		if j.policy.Spec.Authorities[i].Name == authority {
			return true
		}
	}
	return false
}

// statementReasons says why a statement does not hold; none where it does.
func (j *judgement) statementReasons(required *attestation, candidate statement) []string {
	var reasons []string
	if required.MaxAge != nil {
		allowed := required.MaxAge.Duration
		switch age := j.in.Now.Sub(candidate.time); {
		case candidate.time.IsZero():
			reasons = append(reasons, fmt.Sprintf("has no time, so nobody knows its age, at most %s allowed", ageText(allowed)))
		case age > allowed:
			reasons = append(reasons, fmt.Sprintf("is %s old, at most %s allowed", ageText(age), ageText(allowed)))
		}
	}
	if candidate.Unreadable != "" {
		return append(reasons, candidate.Unreadable)
	}
	return append(reasons, j.conditionReasons(required, candidate)...)
}

// missingReason says why no statement counts.
func (j *judgement) missingReason(required *attestation) string {
	reason := "missing (" + required.uri + ")"
	rejected := j.rejections(func(r Rejection) bool {
		return r.PredicateType == required.uri && (r.Authority == "" || j.mayAttest(required, r.Authority))
	})
	if rejected != "" {
		reason += ": " + rejected
	}
	for i := range j.evidence.Attestations {
		candidate := &j.evidence.Attestations[i]
		if end, ended := j.ended[candidate.Authority]; ended && candidate.PredicateType == required.uri && j.mayAttest(required, candidate.Authority) {
			return fmt.Sprintf("%s: the time of key %q ended at %s", reason, candidate.Authority, end.UTC().Format(time.RFC3339))
		}
	}
	return reason
}

// ageText writes a time without parts that are zero: 49h, 1h30m, 20s.
func ageText(age time.Duration) string {
	if age >= time.Hour {
		age = age.Truncate(time.Minute)
	} else if age >= time.Second {
		age = age.Truncate(time.Second)
	}
	text := age.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
