package namespace

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Labels of Pod Security admission, see https://kubernetes.io/docs/concepts/security/pod-security-admission/.
const (
	labelPrefix   = "pod-security.kubernetes.io/"
	versionSuffix = "-version"
	modeEnforce   = "enforce"
	modeWarn      = "warn"
	modeAudit     = "audit"
	versionLatest = "latest"
)

// security is what the labels of a namespace must say.
type security struct {
	level       v1alpha1.PodSecurityLevel
	version     string
	enforcement v1alpha1.Enforcement
}

// wantedSecurity is nil where the Environment asks for no labels. The level privileged is what a namespace
// without labels has.
func wantedSecurity(environment *v1alpha1.Environment) *security {
	settings, asked := environment.Spec.NamespaceSettings, environment.Spec.Rules.PodSecurity
	if settings == nil || !settings.PodSecurityLabels || asked == nil || rank(string(asked.Level)) == 0 {
		return nil
	}
	return &security{
		level:       asked.Level,
		version:     cmp.Or(asked.Version, versionLatest),
		enforcement: cmp.Or(asked.Enforcement, environment.Spec.Enforcement, v1alpha1.EnforcementEnforce),
	}
}

// modes of Pod Security admission that do what the rule's degree does, and all that do less.
func (s *security) modes() []string {
	switch s.enforcement {
	case v1alpha1.EnforcementAudit:
		return []string{modeAudit}
	case v1alpha1.EnforcementWarn:
		return []string{modeAudit, modeWarn}
	}
	return []string{modeAudit, modeEnforce, modeWarn}
}

// judge wants each mode at least at the level and version. A namespace that enforces them needs no warning.
func (s *security) judge(live map[string]string) []policy.Violation {
	var violations []policy.Violation
	for _, mode := range s.modes() {
		level, version := s.enough(live, mode)
		if level && version || s.enoughBoth(live, modeEnforce) {
			continue
		}
		if !level {
			violations = append(violations, mustBe(mode, live, string(s.level)))
		}
		if level && !version {
			violations = append(violations, mustBe(mode+versionSuffix, live, s.version))
		}
	}
	return violations
}

func mustBe(name string, live map[string]string, wanted string) policy.Violation {
	key := labelPrefix + name
	is := "is not set"
	if value, ok := live[key]; ok {
		is = fmt.Sprintf("is %q", value)
	}
	return policy.Violation{
		Field:   fmt.Sprintf("metadata.labels[%s]", key),
		Message: fmt.Sprintf("label %s, it must be %q or stricter", is, wanted),
	}
}

func (s *security) enoughBoth(live map[string]string, mode string) bool {
	level, version := s.enough(live, mode)
	return level && version
}

// enough tells whether the labels of a mode are at least as strict. A newer version counts as stricter; a
// missing one is the latest.
func (s *security) enough(live map[string]string, mode string) (level, version bool) {
	level = rank(live[labelPrefix+mode]) >= rank(string(s.level))
	wanted, _ := minor(s.version)
	has, ok := minor(cmp.Or(live[labelPrefix+mode+versionSuffix], versionLatest))
	return level, ok && has >= wanted
}

// rank orders the levels; what is none of them counts as privileged.
func rank(level string) int {
	return max(0, slices.Index([]string{"privileged", "baseline", "restricted"}, level))
}

// minor is the number of a version "v1.NN"; the latest is above all.
func minor(version string) (number int, ok bool) {
	if version == versionLatest {
		return math.MaxInt, true
	}
	digits, ok := strings.CutPrefix(version, "v1.")
	number, err := strconv.Atoi(digits)
	return number, ok && err == nil
}

// Labels returns the labels of Pod Security admission to apply to a namespace, none where the Environment asks
// for none. Live values that are at least as strict are kept, so that nobody's stricter choice is undone.
func Labels(environment *v1alpha1.Environment, live map[string]string) map[string]string {
	wanted := wantedSecurity(environment)
	if wanted == nil {
		return nil
	}
	set := map[string]string{}
	for _, mode := range wanted.modes() {
		key := labelPrefix + mode
		level, version := wanted.enough(live, mode)
		set[key], set[key+versionSuffix] = string(wanted.level), wanted.version
		if level {
			set[key] = live[key]
		}
		if has, ok := live[key+versionSuffix]; ok && version {
			set[key+versionSuffix] = has
		}
	}
	return set
}
