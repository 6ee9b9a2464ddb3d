package verification

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// preparedLife is how long a policy's keys and trust roots are used without a look at where they come from. With what
// a source may be old by, changes are noticed within a minute.
const preparedLife = 10 * time.Second

// Authorities of one policy, with their keys and trust roots at hand. They are immutable.
type Authorities struct {
	list []*authority
	// unread are those that could not be read.
	unread      []*unreadError
	fingerprint string
}

// Fingerprint identifies which evidence is collected with them: the policy's part in that, and the content of all keys
// and trust roots, wherever they come from. Where some could not be read it is another one.
func (a *Authorities) Fingerprint() string { return a.fingerprint }

// Unread says which of the policy's authorities could not be read, and why; it is nil where all were. It is ErrNoKey
// where one of them is of no use.
func (a *Authorities) Unread() error { return joined(a.unread) }

// prepared is what is remembered of a policy.
type prepared struct {
	authorities *Authorities
	checkedAt   time.Time
	// fixed is true where nothing was read from outside of the policy.
	fixed bool
}

// Prepare reads the keys and trust roots of a policy. As long as they do not change it returns the same pointer, and
// costs next to nothing. Authorities that cannot be read are left out, see Authorities.Unread. Where none can be, that is
// the error: it names the authorities and what could not be read, and says that nobody can tell.
func (v *Verifier) Prepare(ctx context.Context, requirement *proof.Requirement) (*Authorities, error) {
	var known prepared
	if value, found := v.prepared.Get(requirement); found {
		known = value.(prepared)
		if known.fixed || v.now().Sub(known.checkedAt) < preparedLife {
			return known.authorities, nil
		}
	}
	authorities, err := v.readAuthorities(ctx, requirement)
	if err != nil {
		return nil, err
	}
	if known.authorities != nil && len(authorities.unread) == 0 && known.authorities.fingerprint == authorities.fingerprint {
		authorities = known.authorities
	}
	v.prepared.Add(requirement, prepared{authorities: authorities, checkedAt: v.now(), fixed: isFixed(requirement)})
	return authorities, nil
}

func (v *Verifier) readAuthorities(ctx context.Context, requirement *proof.Requirement) (*Authorities, error) {
	policy := requirement.ImagePolicy()
	parts := []string{requirement.Fingerprint()}
	result := &Authorities{}
	shared := map[witnessKey]*witnesses{}
	for _, from := range policy.Spec.Authorities {
		one, digests, err := v.readAuthority(ctx, from)
		if err != nil {
			unread := newUnreadError(policy.Name, from.Name, err)
			result.unread = append(result.unread, unread)
			parts = append(parts, from.Name, unread.marker())
			continue
		}
		if w := one.witnesses; w != nil {
			// What bears witness is checked once for all authorities that ask the same.
			key := witnessKey{root: digests[len(digests)-1], log: w.log, stamp: w.stamp, promised: w.promised}
			if shared[key] == nil {
				shared[key] = w
			}
			one.witnesses = shared[key]
		}
		result.list = append(result.list, one)
		parts = append(append(parts, from.Name), digests...)
	}
	if len(policy.Spec.Authorities) == 0 {
		return nil, fmt.Errorf("reading ImagePolicy %q: it trusts no authority", policy.Name)
	}
	if len(result.list) == 0 {
		return nil, result.Unread()
	}
	encoded, err := json.Marshal(parts)
	if err != nil {
		return nil, fmt.Errorf("reading ImagePolicy %q: %w", policy.Name, err)
	}
	sum := sha256.Sum256(encoded)
	result.fingerprint = hex.EncodeToString(sum[:])
	return result, nil
}

type witnessKey struct {
	root                 string
	log, stamp, promised bool
}

// isFixed tells whether all keys and trust roots stand in the policy itself.
func isFixed(requirement *proof.Requirement) bool {
	for _, a := range requirement.ImagePolicy().Spec.Authorities {
		if a.Key != nil && a.Key.Data == "" {
			return false
		}
		needsRoot := a.Keyless != nil || a.TrustRoot != nil
		if needsRoot && (a.TrustRoot == nil || a.TrustRoot.Data == "") {
			return false
		}
	}
	return true
}
