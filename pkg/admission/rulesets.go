package admission

import (
	"sync"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// rulesets keeps what was compiled of each Environment for as long as the port returns the same object.
type rulesets struct {
	compiler *policy.Compiler

	mu     sync.RWMutex
	byName map[string]compiled
}

// compiled is a Ruleset, or why there is none, and the object that it was made from.
type compiled struct {
	from    *v1alpha1.Environment
	ruleset *policy.Ruleset
	err     error
}

func newRulesets(compiler *policy.Compiler) *rulesets {
	return &rulesets{compiler: compiler, byName: map[string]compiled{}}
}

// of returns the Ruleset of an Environment. It compiles once per object: ports return the same pointer while
// nothing changed.
func (r *rulesets) of(environment *v1alpha1.Environment) (*policy.Ruleset, error) {
	r.mu.RLock()
	known, found := r.byName[environment.Name]
	r.mu.RUnlock()
	if found && known.from == environment {
		return known.ruleset, known.err
	}
	ruleset, err := r.compiler.Compile(environment)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byName[environment.Name] = compiled{from: environment, ruleset: ruleset, err: err}
	return ruleset, err
}

// check tells what cannot be compiled of an Environment that is not in use.
func (r *rulesets) check(environment *v1alpha1.Environment) error {
	_, err := r.compiler.Compile(environment)
	return err
}
