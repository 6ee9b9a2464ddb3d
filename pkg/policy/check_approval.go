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
		ID:    RuleApproval,
		Asked: func(rules v1alpha1.Rules) bool { return rules.Approval != nil },
		Judge: func(in Input) []Violation {
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
			return judgeApprovals(*in.Rules.Approval, *fact, refuse)
		},
	}
}

// judgeApprovals counts the people whose consent stands now.
func judgeApprovals(rules v1alpha1.ApprovalRules, fact ApprovalFact, refuse func(string) []Violation) []Violation {
	var approvers []v1alpha1.Identity
	var ignored []string
	for _, approval := range fact.Approvals {
		why := unfit(rules, fact, approval)
		if why == "" && slices.ContainsFunc(approvers, func(other v1alpha1.Identity) bool { return SamePerson(other, approval.Approver) }) {
			why = "counts once"
		}
		if why != "" {
			ignored = append(ignored, fmt.Sprintf("that of %q %s", approval.Approver.Username, why))
			continue
		}
		approvers = append(approvers, approval.Approver)
	}
	needed := max(int(rules.MinApprovals), 1)
	if len(approvers) >= needed {
		return nil
	}
	message := fmt.Sprintf("Release %q has %d of %d approvals", fact.Release, len(approvers), needed)
	if len(ignored) > 0 {
		slices.Sort(ignored)
		message += " (" + strings.Join(slices.Compact(ignored), "; ") + ")"
	}
	return refuse(message + fmt.Sprintf(": someone else must run `kubectl rune approve release/%s`", fact.Release))
}

// unfit says why a sealed approval of the right Release does not count now; empty if it does.
func unfit(rules v1alpha1.ApprovalRules, fact ApprovalFact, approval v1alpha1.ApprovalSpec) string {
	switch {
	case approval.Approver.Username == "" || approval.ApprovedAt == nil:
		return "names nobody"
	case approval.TemplateHash != fact.TemplateHash:
		return "is for another pod template"
	case SeparateRequester(rules) && SamePerson(approval.Approver, fact.RequestedBy):
		return "is the requester's own"
	case !approval.ApprovedAt.Add(validity(rules)).After(fact.Now):
		return "expired at " + approval.ApprovedAt.Add(validity(rules)).UTC().Format(time.RFC3339)
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

func validity(rules v1alpha1.ApprovalRules) time.Duration {
	if rules.ValidFor == nil {
		return defaultApprovalValidity
	}
	return rules.ValidFor.Duration
}
