package report

import (
	"fmt"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Threshold reads the value of --fail-on, in any case: the weakest degree whose violations make a command fail.
func Threshold(flag string) (v1alpha1.Enforcement, error) {
	for _, degree := range []v1alpha1.Enforcement{v1alpha1.EnforcementEnforce, v1alpha1.EnforcementWarn, v1alpha1.EnforcementAudit} {
		if strings.EqualFold(flag, string(degree)) {
			return degree, nil
		}
	}
	return "", fmt.Errorf("--fail-on %s is unknown: write enforce, warn or audit", flag)
}
