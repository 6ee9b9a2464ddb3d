package configuration

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// The bounds of spec.cache.
const (
	maxValidFor = 168 * time.Hour
	maxStaleFor = 720 * time.Hour
)

// ImagePolicy returns what the schema of an ImagePolicy cannot say, and what its rules say where nobody but the API
// server would ask them, in the order of its fields.
func ImagePolicy(images *v1alpha1.ImagePolicy) []Problem {
	var found problems
	found.compile(images)
	for i, name := range images.Spec.Environments {
		if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 {
			found.add(fmt.Sprintf("spec.environments[%d]", i), "no Environment can be named %q: %s", name, strings.Join(wrong, "; "))
		}
	}
	found.authorities(&images.Spec)
	found.attestations(images.Spec.Attestations)
	if cache := images.Spec.Cache; cache != nil {
		if cache.ValidFor != nil && (cache.ValidFor.Duration <= 0 || cache.ValidFor.Duration > maxValidFor) {
			found.add("spec.cache.validFor", "must be above 0s and at most 168h")
		}
		if cache.StaleFor != nil && (cache.StaleFor.Duration < 0 || cache.StaleFor.Duration > maxStaleFor) {
			found.add("spec.cache.staleFor", "must be at least 0s and at most 720h")
		}
	}
	slices.SortStableFunc(found, func(a, b Problem) int { return slices.Compare(position(a.Field), position(b.Field)) })
	return found
}

// position orders problems by the fields of the spec and their indices.
func position(field string) []int {
	order := []string{"images", "environments", "require", "atLeast", "authorities", "attestations", "formats", "cache"}
	name, rest, _ := strings.Cut(strings.TrimPrefix(field, "spec."), "[")
	name, _, _ = strings.Cut(name, ".")
	digits, _, _ := strings.Cut(rest, "]")
	index, _ := strconv.Atoi(digits) // 0 where there is none
	return []int{slices.Index(order, name), index}
}

// compile says what cannot be judged by.
func (p *problems) compile(images *v1alpha1.ImagePolicy) {
	compiler, err := proof.NewCompiler()
	if err == nil {
		_, err = compiler.Compile(images)
	}
	if err == nil {
		return
	}
	causes := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		causes = joined.Unwrap()
	}
	for _, cause := range causes {
		var problem *proof.FieldError
		if errors.As(cause, &problem) {
			p.add(problem.Field, "%s", problem.Message)
		} else {
			p.add("spec", "%s", cause)
		}
	}
}

func (p *problems) attestations(attestations []v1alpha1.AttestationRequirement) {
	seen := map[string]bool{}
	for i := range attestations {
		attestation := &attestations[i]
		field := fmt.Sprintf("spec.attestations[%d]", i)
		if seen[attestation.Name] {
			p.add(field+".name", "there are two attestations %q", attestation.Name)
		}
		seen[attestation.Name] = true
		if attestation.MaxAge != nil && attestation.MaxAge.Duration <= 0 {
			p.add(field+".maxAge", "must be above 0s, else every attestation would be too old")
		}
		conditions := map[string]bool{}
		for n, condition := range attestation.Conditions {
			if conditions[condition.Name] {
				p.add(fmt.Sprintf("%s.conditions[%d].name", field, n), "there are two conditions %q", condition.Name)
			}
			conditions[condition.Name] = true
		}
	}
}
