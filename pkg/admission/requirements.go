package admission

import (
	"sync"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// requirements keeps what was compiled of each ImagePolicy for as long as the port returns the same object.
type requirements struct {
	compiler *proof.Compiler

	mu     sync.RWMutex
	byName map[string]required
}

// required is a Requirement, or why there is none, and the object that it was made from.
type required struct {
	from        *v1alpha1.ImagePolicy
	requirement *proof.Requirement
	err         error
}

func newRequirements(compiler *proof.Compiler) *requirements {
	return &requirements{compiler: compiler, byName: map[string]required{}}
}

// of returns the Requirements of ImagePolicies, in their order. It fails if one cannot be compiled.
func (r *requirements) of(policies []*v1alpha1.ImagePolicy) ([]*proof.Requirement, error) {
	list := make([]*proof.Requirement, len(policies))
	for i, policy := range policies {
		r.mu.RLock()
		known, found := r.byName[policy.Name]
		r.mu.RUnlock()
		if !found || known.from != policy {
			known = required{from: policy}
			known.requirement, known.err = r.compiler.Compile(policy)
			r.mu.Lock()
			r.byName[policy.Name] = known
			r.mu.Unlock()
		}
		if known.err != nil {
			return nil, known.err
		}
		list[i] = known.requirement
	}
	return list, nil
}
