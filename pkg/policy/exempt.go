package policy

import (
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// lift separates the violations that an Exemption lifts from those that stand. The caller proved that the
// Exemptions are for the subject's workload.
func lift(in Input, violations []Violation) (standing []Violation, lifted []Exempted) {
	var live []*v1alpha1.Exemption
	for i := range in.Facts.Exemptions {
		if exempts(in, &in.Facts.Exemptions[i]) {
			live = append(live, &in.Facts.Exemptions[i])
		}
	}
	if len(live) == 0 {
		return violations, nil
	}
	for _, violation := range violations {
		if name, found := lifts(live, violation.Rule); found {
			lifted = append(lifted, Exempted{Violation: violation, Exemption: name})
			continue
		}
		standing = append(standing, violation)
	}
	slices.SortFunc(lifted, func(a, b Exempted) int { return compareViolations(a.Violation, b.Violation) })
	return standing, slices.Compact(lifted)
}

// lifts names the Exemption that lifts a rule; of several the one that lasts longest, then the first by name.
// Approval and access are never lifted: they are about people, and have exceptions of their own.
func lifts(live []*v1alpha1.Exemption, rule Rule) (name string, found bool) {
	if rule == RuleApproval || rule == RuleAccess {
		return "", false
	}
	var chosen *v1alpha1.Exemption
	for _, exemption := range live {
		if !slices.Contains(exemption.Spec.Rules, v1alpha1.ExemptRule(rule)) {
			continue
		}
		end := exemption.Spec.ExpiresAt.Time
		if chosen == nil || end.After(chosen.Spec.ExpiresAt.Time) || (end.Equal(chosen.Spec.ExpiresAt.Time) && exemption.Name < chosen.Name) {
			chosen = exemption
		}
	}
	if chosen == nil {
		return "", false
	}
	return chosen.Name, true
}

// exempts tells whether an Exemption counts now and for the images of the subject. A judgement that has no time
// lifts nothing, else all that ever expired would count.
func exempts(in Input, exemption *v1alpha1.Exemption) bool {
	if in.Facts.Now.IsZero() || !exemption.Spec.ExpiresAt.After(in.Facts.Now) {
		return false
	}
	if len(exemption.Spec.Images) == 0 {
		return true
	}
	for _, slot := range in.Subject.Images() {
		// What a tag meant at the judgement is what runs only where pods are pinned to it, and judged again as such.
		digest := ""
		if EffectivePin(in.Rules) != v1alpha1.PinNever {
			digest = in.Facts.Images[slot.Image].Digest
		}
		// What the reference itself says is what runs, whatever was found out about it.
		if ref, err := image.Parse(slot.Image); err != nil {
			return false
		} else if ref.Digest != "" {
			digest = ref.Digest
		}
		if digest == "" || !slices.Contains(exemption.Spec.Images, digest) {
			return false
		}
	}
	return true
}
