package verify

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// maxRejected that are told of one policy; the structured formats hold all.
const maxRejected = 5

// table writes a report for people: image, environment, policy, and below it each authority and attestation with a mark.
type table struct {
	text  strings.Builder
	paint paint
	now   time.Time
}

// writeTable writes one block for each image.
func writeTable(w io.Writer, r *Report, p paint, now time.Time) error {
	t := &table{paint: p, now: now}
	for i := range r.Images {
		if i > 0 {
			t.text.WriteString("\n")
		}
		t.image(&r.Images[i])
	}
	_, err := io.WriteString(w, t.text.String())
	return err
}

// line writes text of others at an indent, fit for a terminal. Marks and words that are painted are not others'.
func (t *table) line(indent int, format string, args ...any) {
	for i, arg := range args {
		if text, isText := arg.(string); isText {
			args[i] = report.Plain(text)
		}
	}
	t.text.WriteString(strings.Repeat(" ", indent) + fmt.Sprintf(format, args...) + "\n")
}

// lines writes text that may have several lines, as a joined error has; nothing for none.
func (t *table) lines(indent int, text string) {
	for line := range strings.Lines(text) {
		t.line(indent, "%s", strings.TrimSuffix(line, "\n"))
	}
}

func (t *table) image(answer *Image) {
	t.line(0, "%s: %s", answer.Image, t.result(answer.Result))
	if answer.Digest != "" && !strings.Contains(answer.Image, "@") {
		t.line(2, "%s%s", answer.Digest, named(answer))
	}
	t.lines(2, answer.Error)
	if answer.Stale != "" {
		t.line(2, "warning: %s", answer.Stale)
	}
	if answer.Result == NoPolicy && len(answer.Environments)+len(answer.Uncovered) == 0 {
		t.line(2, "no ImagePolicy covers it")
	}
	for i := range answer.Environments {
		t.environment(&answer.Environments[i])
	}
	if len(answer.Uncovered) > 0 {
		t.text.WriteString("\n")
		t.line(2, "no ImagePolicy covers it, though signatures are asked for, in")
	}
	for _, environment := range answer.Uncovered {
		t.line(4, "environment %q%s", environment.Name, refusal(environment.Enforcement))
	}
	t.next(answer.Next)
}

// named says where a digest that the user did not type comes from.
func named(answer *Image) string {
	tag := answer.Reference[strings.LastIndexByte(answer.Reference, ':')+1:]
	return fmt.Sprintf(" (what tag %q names now)", tag)
}

func (t *table) environment(answer *Environment) {
	t.text.WriteString("\n")
	t.line(2, "environment %q: %s%s", answer.Name, t.result(answer.Result), consequence(answer))
	if len(answer.Policies) == 0 {
		t.line(4, "no ImagePolicy that names it covers the image")
	}
	for i := range answer.Policies {
		t.policy(&answer.Policies[i])
	}
}

// consequence says what an environment makes of the result, where that is not plain.
func consequence(answer *Environment) string {
	switch {
	case answer.Enforcement == NoEnvironment:
		return " (there is no Environment of this name: the ImagePolicies alone were asked)"
	case answer.Enforcement == NotAsked:
		return " (its rules do not ask for signatures, see spec.rules.signatures: nothing is refused for their sake)"
	case answer.Result == Satisfied:
		return ""
	}
	return refusal(answer.Enforcement)
}

// refusal says what happens to pods with an image that is not satisfied.
func refusal(degree Enforcement) string {
	if degree == Enforcement(v1alpha1.EnforcementEnforce) {
		return " (enforced: pods with it are refused)"
	}
	return fmt.Sprintf(" (enforcement %s: pods with it are let in)", degree)
}

func (t *table) policy(answer *Policy) {
	t.line(4, "ImagePolicy %q: %s%s", answer.Name, t.result(answer.Result), requires(answer))
	t.lines(6, answer.Error)
	rows := t.authorities(answer)
	for i := range answer.Attestations {
		rows = append(rows, t.attestation(&answer.Attestations[i], answer))
	}
	t.rows(rows)
	if answer.Stale != "" {
		t.line(6, "warning: %s", answer.Stale)
	}
	t.rejected(answer)
}

// requires says how the authorities of a policy are combined.
func requires(answer *Policy) string {
	if answer.Error != "" || len(answer.Authorities)+len(answer.Attestations) == 0 {
		return ""
	}
	switch answer.Require {
	case v1alpha1.RequireAll:
		return ", every authority must sign"
	case v1alpha1.RequireAtLeast:
		return fmt.Sprintf(", at least %d authorities must sign", answer.AtLeast)
	case v1alpha1.RequireAttestationsOnly:
		return ", attestations only"
	}
	if len(answer.Authorities) > 1 {
		return ", any one authority suffices"
	}
	return ""
}

// row is what is told of one authority or attestation.
type row struct {
	mark    mark
	name    string
	details []string
}

func (t *table) authorities(answer *Policy) []row {
	if answer.Require == v1alpha1.RequireAttestationsOnly {
		return nil
	}
	enough := enoughSigned(answer)
	var rows []row
	for i := range answer.Authorities {
		authority := &answer.Authorities[i]
		one := row{mark: markOK, name: fmt.Sprintf("authority %q", authority.Name)}
		switch {
		case authority.counts():
			one.details = []string{"signed " + t.signature(authority.Signature)}
		case enough:
			one.mark, one.details = markSkipped, []string{"not needed: " + orNot(authority.Reason, "did not sign")}
		default:
			one.mark, one.details = markFailed, []string{orNot(authority.Reason, "did not sign")}
		}
		rows = append(rows, one)
	}
	return rows
}

func (t *table) attestation(outcome *proof.AttestationOutcome, of *Policy) row {
	one := row{mark: markOK, name: fmt.Sprintf("attestation %q (%s)", outcome.Name, typed(outcome, of))}
	if !outcome.Satisfied {
		one.mark, one.details = markFailed, outcome.Reasons
		if len(one.details) == 0 {
			one.details = []string{"does not hold"}
		}
		return one
	}
	by := ""
	if outcome.Signature != nil {
		by = fmt.Sprintf("by %q, ", outcome.Signature.Authority)
	}
	one.details = []string{by + t.when(outcome.Time)}
	return one
}

// typed is a predicate type as the policy's author wrote it: often a short name.
func typed(outcome *proof.AttestationOutcome, of *Policy) string {
	if asked := attestationNamed(of, outcome.Name); asked != nil {
		return asked.PredicateType
	}
	return outcome.PredicateType
}

// signature says who signed, how it is stored, and when.
func (t *table) signature(s *proof.Signature) string {
	if s == nil {
		return ""
	}
	text := fmt.Sprintf("by %s (format %s)", signerName(s.Signer), s.Format)
	if !s.Time.IsZero() {
		text += ", " + t.when(s.Time)
	}
	return text
}

// keyDigits are so many of a key's fingerprint as tell keys apart at a glance; the structured formats have all.
const keyDigits = 12

// signerName is for people what proof.Signature.Signer holds: the fingerprint of a key, or issuer and subject.
func signerName(signer string) string {
	if digest, isKey := strings.CutPrefix(signer, "sha256:"); isKey {
		return "key sha256:" + digest[:min(keyDigits, len(digest))] + "…"
	}
	if issuer, subject, isIdentity := strings.Cut(signer, " "); isIdentity {
		return fmt.Sprintf("%s, issuer %s", subject, issuer)
	}
	return signer
}

// when is a time in UTC and how long ago that is.
func (t *table) when(at time.Time) string {
	if at.IsZero() {
		return "without a time"
	}
	return fmt.Sprintf("%s, %s ago", at.UTC().Format(time.RFC3339), duration.HumanDuration(t.now.Sub(at)))
}

// rows puts details below each other behind the longest name.
func (t *table) rows(rows []row) {
	width := 0
	for _, one := range rows {
		width = max(width, utf8.RuneCountInString(report.Plain(one.name)))
	}
	for _, one := range rows {
		name := report.Plain(one.name)
		lead := "      " + t.paint.mark(one.mark) + "  " + name + strings.Repeat(" ", width-utf8.RuneCountInString(name))
		for i, detail := range one.details {
			if i > 0 {
				lead = strings.Repeat(" ", 6+markWidth+2+width)
			}
			t.text.WriteString(strings.TrimRight(lead+"  "+report.Plain(detail), " ") + "\n")
		}
	}
}

// rejected tells what lay beside the image, as far as no line above told it and it may be why the policy is not
// satisfied.
func (t *table) rejected(answer *Policy) {
	if answer.Result != NotSatisfied {
		return
	}
	told := strings.Join(answer.Reasons, "\n")
	rest := slices.DeleteFunc(slices.Clone(answer.Rejected), func(r proof.Rejection) bool { return strings.Contains(told, r.Reason) })
	if len(rest) == 0 {
		return
	}
	t.line(6, "beside the image lies what does not count:")
	for i, rejection := range rest {
		if i == maxRejected {
			t.line(8, "and %d more (-o json lists all)", len(rest)-maxRejected)
			return
		}
		what := "format " + string(rejection.Format)
		if rejection.PredicateType != "" {
			what += ", " + rejection.PredicateType
		}
		if rejection.Authority != "" {
			what += fmt.Sprintf(", tried by authority %q", rejection.Authority)
		}
		t.line(8, "%s: %s", what, rejection.Reason)
	}
}

func (t *table) next(steps []Step) {
	if len(steps) == 0 {
		return
	}
	t.text.WriteString("\n")
	t.line(2, "NEXT")
	for _, step := range steps {
		t.line(2, "- %s", step.Text)
		if step.Command != "" {
			t.line(6, "%s", step.Command)
		}
	}
}

// painted is text that is fit for the terminal already.
type painted string

func (t *table) result(r Result) painted { return painted(t.paint.result(r)) }

func orNot(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
