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
	// strictest degree of the Environment's rules, also where they could not be compiled.
	strictest v1alpha1.Enforcement
}

func newRulesets(compiler *policy.Compiler) *rulesets {
	return &rulesets{compiler: compiler, byName: map[string]compiled{}}
}

// of returns the Ruleset of an Environment. It compiles once per object: ports return the same pointer while
// nothing changed.
func (r *rulesets) of(environment *v1alpha1.Environment) (*policy.Ruleset, error) {
	known := r.compiled(environment)
	return known.ruleset, known.err
}

// strictest returns the degree in which what nobody could judge is answered.
func (r *rulesets) strictest(environment *v1alpha1.Environment) v1alpha1.Enforcement {
	return r.compiled(environment).strictest
}

func (r *rulesets) compiled(environment *v1alpha1.Environment) compiled {
	r.mu.RLock()
	known, found := r.byName[environment.Name]
	r.mu.RUnlock()
	if found && known.from == environment {
		return known
	}
	known = compiled{from: environment, strictest: r.compiler.Strictest(environment)}
	known.ruleset, known.err = r.compiler.Compile(environment)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byName[environment.Name] = known
	return known
}

// check tells what cannot be compiled of an Environment that is not in use.
func (r *rulesets) check(environment *v1alpha1.Environment) error {
	_, err := r.compiler.Compile(environment)
	return err
}
