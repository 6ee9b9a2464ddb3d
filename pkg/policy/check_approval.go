package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// defaultApprovalValidity is the CRD's default of rules.approval.validFor.
const defaultApprovalValidity = 24 * time.Hour

// approvalCheck requires that other people consented to the pod template.
func approvalCheck() Check {
	return Check{
		ID:          RuleApproval,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Approval != nil },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.Approval.Enforcement },
		Doc:         approvalDoc(),
		Compile: judged(func(in Input) []Violation {
			fact := in.Facts.Approval
			field := in.Subject.Field("spec")
			if in.Subject.TemplatePath != "" {
				field = in.Subject.TemplatePath
			}
			refuse := func(message string) []Violation {
				return []Violation{{Rule: RuleApproval, Field: field, Message: message}}
			}
			switch {
			case fact == nil:
				return refuse("needs approval, and nobody looked for one")
			case fact.Exempt != "":
				return nil
			case fact.Release == "":
				return refuse(fact.Problem)
			}
			if violations := notByDigest(in.Subject, fact.Release); len(violations) > 0 {
				return violations
			}
			return judgeApprovals(*in.Rules.Approval, *fact, refuse)
		}),
	}
}

// notByDigest refuses tags: people approve what a tag names at the time, and it may name something else
// when the pods start.
func notByDigest(subject *Subject, release string) []Violation {
	var violations []Violation
	for _, slot := range subject.ImagesWithoutDigest() {
		violations = append(violations, Violation{Rule: RuleApproval, Field: slot.Field, Message: fmt.Sprintf(
			"image %q of %s has no digest, and the approval of Release %q covers images by digest only: request the release again, `kubectl rune canary` writes digests by itself",
			slot.Image, slot.Owner, release)})
	}
	return violations
}

// judgeApprovals counts the people whose consent stands now.
func judgeApprovals(rules v1alpha1.ApprovalRules, fact ApprovalFact, refuse func(string) []Violation) []Violation {
	approvers, ignored := count(fact.Approvals, func(approval v1alpha1.ApprovalSpec) string {
		if why := unfit(rules, fact, approval); why != "" {
			return why
		}
		if end := approval.ApprovedAt.Add(Validity(rules)); !end.After(fact.Now) {
			return "expired at " + end.UTC().Format(time.RFC3339)
		}
		return ""
	})
	needed := neededApprovals(rules)
	if approvers >= needed {
		return nil
	}
	message := fmt.Sprintf("Release %q has %d of %d approvals", fact.Release, approvers, needed)
	if len(ignored) > 0 {
		slices.Sort(ignored)
		message += " (" + strings.Join(slices.Compact(ignored), "; ") + ")"
	}
	return refuse(message + fmt.Sprintf(": someone else must run `kubectl rune approve release/%s`", fact.Release))
}

// ApprovedAt tells whether enough people ever approved a Release, and when the last of them did. What an
// approval is worth today does not count: an approval that expired still tells that the change was wanted.
func ApprovedAt(rules v1alpha1.ApprovalRules, fact ApprovalFact) (last time.Time, enough bool) {
	approvers, _ := count(fact.Approvals, func(approval v1alpha1.ApprovalSpec) string {
		why := unfit(rules, fact, approval)
		if why == "" && approval.ApprovedAt.After(last) {
			last = approval.ApprovedAt.Time
		}
		return why
	})
	return last, approvers >= neededApprovals(rules)
}

// count returns how many different people approved, and why the other approvals do not count.
func count(approvals []v1alpha1.ApprovalSpec, unfit func(v1alpha1.ApprovalSpec) string) (people int, ignored []string) {
	var approvers []v1alpha1.Identity
	for _, approval := range approvals {
		why := unfit(approval)
		if why == "" && slices.ContainsFunc(approvers, func(other v1alpha1.Identity) bool { return SamePerson(other, approval.Approver) }) {
			why = "counts once"
		}
		if why != "" {
			ignored = append(ignored, fmt.Sprintf("that of %q %s", approval.Approver.Username, why))
			continue
		}
		approvers = append(approvers, approval.Approver)
	}
	return len(approvers), ignored
}

func neededApprovals(rules v1alpha1.ApprovalRules) int { return max(int(rules.MinApprovals), 1) }

// unfit says why a sealed approval of the right Release does not count, whenever it was given; empty if it does.
func unfit(rules v1alpha1.ApprovalRules, fact ApprovalFact, approval v1alpha1.ApprovalSpec) string {
	switch {
	case approval.Approver.Username == "" || approval.ApprovedAt == nil:
		return "names nobody"
	case approval.TemplateHash != fact.TemplateHash:
		return "is for another pod template"
	case SeparateRequester(rules) && SamePerson(approval.Approver, fact.RequestedBy):
		return "is the requester's own"
	}
	return ""
}

// SeparateRequester tells whether whoever requested a release may not approve it; so by default.
func SeparateRequester(rules v1alpha1.ApprovalRules) bool {
	return rules.SeparateRequester == nil || *rules.SeparateRequester
}

// SamePerson tells whether two identities belong to one person: the name decides, and so does a UID
// that both have, whatever the names are.
func SamePerson(a, b v1alpha1.Identity) bool {
	return a.Username == b.Username || (a.UID != "" && a.UID == b.UID)
}

// Validity is how long an approval lets a release begin.
func Validity(rules v1alpha1.ApprovalRules) time.Duration {
	if rules.ValidFor == nil {
		return defaultApprovalValidity
	}
	return rules.ValidFor.Duration
}

func approvalDoc() Doc {
	return Doc{
		Setting:       "approval",
		AdmissionOnly: true,
		Summary:       "Other people consented to the pod template before it enters.",
		Allows: `A pod template for which a Release of the namespace stands, with ` + "`minApprovals`" + ` sealed Approvals of different people for this very template, each younger than ` + "`validFor`" + `.
What the built-in controllers make of a judged owner needs none, nor does going back to the template that a Release in flight came from, nor a change that leaves the template as it is.`,
		Denies: "Templates without such a Release; approvals of another template, that expired, of the requester (unless `separateRequester: false`), or a second one of the same person; images by tag, because a tag may name something else when the pods start.",
		Fix:    "`kubectl rune canary`, `bluegreen`, `promote` and `rollback` ask for the release; `kubectl rune request -f FILE` asks for a change that another tool will make. Then someone else runs `kubectl rune approve release/NAME`.",
		Notes: `With ` + "`rollback: None`" + ` a template that the workload has run needs no approval. Service accounts approve only where ` + "`serviceAccounts`" + ` lists them.
No Exemption lifts this rule.`,
		Example: `approval:
  minApprovals: 1
  validFor: 24h
  rollback: Required                # None | Required
`,
	}
}
