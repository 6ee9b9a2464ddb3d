package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/common/ast"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// maxAnswers that are kept of the conditions of one attestation; some hundred kilobytes.
const maxAnswers = 4_096

// answers keeps what conditions said of what they were asked: asking about a scan of some hundred findings takes longer
// than all else of an admission. Conditions that look at the clock are asked each time. It is safe for concurrent use.
type answers struct {
	mu   sync.RWMutex
	kept map[[sha256.Size]byte]answer
}

// answer of all conditions of an attestation.
type answer struct {
	reasons []string
	// cost that they took of the budget.
	cost uint64
}

func (a *answers) get(key [sha256.Size]byte) (answer, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	found, ok := a.kept[key]
	return found, ok
}

// put drops all others once there are too many: what is still asked comes back.
func (a *answers) put(key [sha256.Size]byte, given answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil || len(a.kept) >= maxAnswers {
		a.kept = map[[sha256.Size]byte]answer{}
	}
	a.kept[key] = given
}

// question hashes all that conditions can see beside the clock.
func question(predicate []byte, ref image.Reference, environment string, at time.Time) [sha256.Size]byte {
	hash := sha256.New()
	part := func(text []byte) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		hash.Write(length[:])
		hash.Write(text)
	}
	part(predicate)
	for _, text := range []string{ref.Registry, ref.Repository, ref.Digest, environment, at.UTC().Format(time.RFC3339Nano)} {
		part([]byte(text))
	}
	var key [sha256.Size]byte
	hash.Sum(key[:0])
	return key
}

// looksAtClock tells whether an expression names the variable now, also by its absolute name or behind a variable of a
// macro that is called the same: what does not look at the clock is then only asked more often.
func looksAtClock(expression *ast.AST) bool {
	found := false
	ast.PostOrderVisit(expression.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && strings.TrimPrefix(e.AsIdent(), ".") == variableNow {
			found = true
		}
	}))
	return found
}
