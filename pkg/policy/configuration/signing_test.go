package configuration_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/configuration"
)

// TestTheGuideToSigningShowsWhatCanBeApplied reads every YAML block of docs/signing.md that holds one of our kinds.
func TestTheGuideToSigningShowsWhatCanBeApplied(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/signing.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		var problems []configuration.Problem
		switch kind := kindOf(block[1]); kind {
		case v1alpha1.KindEnvironment:
			var environment v1alpha1.Environment
			err = yaml.UnmarshalStrict([]byte(block[1]), &environment)
			problems = configuration.Environment(&environment)
			seen[kind]++
		case v1alpha1.KindImagePolicy:
			var policy v1alpha1.ImagePolicy
			err = yaml.UnmarshalStrict([]byte(block[1]), &policy)
			problems = configuration.ImagePolicy(&policy)
			seen[kind]++
		}
		if err != nil || len(problems) > 0 {
			t.Errorf("%v, %v in\n%s", err, problems, block[1])
		}
	}
	if seen[v1alpha1.KindEnvironment] < 1 || seen[v1alpha1.KindImagePolicy] < 4 {
		t.Errorf("found %v, want an Environment and four ImagePolicies", seen)
	}
}

func kindOf(document string) string {
	for line := range strings.Lines(document) {
		if kind, found := strings.CutPrefix(line, "kind: "); found {
			return strings.TrimSpace(kind)
		}
	}
	return ""
}
