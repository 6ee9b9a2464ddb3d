package corpus_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/test/corpus"
)

// atLeast is how many objects the doors are compared by.
const atLeast = 300

func suites(t *testing.T) []corpus.Suite {
	t.Helper()
	suites, err := corpus.Suites()
	if err != nil {
		t.Fatal(err)
	}
	return suites
}

// TestTheCorpusCoversEveryRuleAndKind: an empty part of the corpus would compare nothing.
func TestTheCorpusCoversEveryRuleAndKind(t *testing.T) {
	compiled, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var objects int
	outcomes := map[string]map[bool]int{}
	note := func(what string, passes bool) {
		if outcomes[what] == nil {
			outcomes[what] = map[bool]int{}
		}
		outcomes[what][passes]++
	}
	for _, suite := range suites(t) {
		ruleset, err := compiled.Compile(suite.Environment(corpus.Prefix + suite.Name))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range suite.Objects {
			objects++
			note("kind "+object.Kind.Kind, len(object.Want) == 0)
			for _, check := range policy.Checks(nil) {
				if ruleset.Asks(check.ID) {
					broken := slices.ContainsFunc(object.Want, func(want corpus.Expectation) bool {
						rule, _, _ := strings.Cut(want.Rule, "/")
						return rule == string(check.ID)
					})
					note("rule "+string(check.ID), !broken)
				}
			}
		}
	}
	if objects < atLeast {
		t.Errorf("the corpus has %d objects, want at least %d", objects, atLeast)
	}
	for _, check := range policy.Checks(nil) {
		// Approval, access and signatures are about a request and a registry; they have end-to-end tests of their own.
		if slices.Contains([]policy.Rule{policy.RuleApproval, policy.RuleAccess, policy.RuleSignatures}, check.ID) {
			continue
		}
		bothOutcomes(t, "rule "+string(check.ID), outcomes)
	}
	for _, kind := range corpus.Kinds() {
		bothOutcomes(t, "kind "+kind.Kind, outcomes)
	}
	t.Logf("%d objects", objects)
}

func bothOutcomes(t *testing.T, what string, outcomes map[string]map[bool]int) {
	t.Helper()
	if outcomes[what][true] == 0 || outcomes[what][false] == 0 {
		t.Errorf("%s: %d objects pass and %d fail, want both", what, outcomes[what][true], outcomes[what][false])
	}
}
