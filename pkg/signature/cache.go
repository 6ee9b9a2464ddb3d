package signature

import (
	"time"

	lru "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// age of a verdict that a caller accepts.
type age bool

const (
	// fresh verdicts need no question to the registry.
	fresh age = false
	// stale ones count only while the registry fails.
	stale age = true
)

// cache keeps verdicts, bounded in number and time.
type cache struct {
	clock      clock.PassiveClock
	verdicts   *lru.LRUExpireCache
	freshFor   time.Duration
	staleFor   time.Duration
	retryAfter time.Duration
}

func newCache(config Config) *cache {
	return &cache{
		clock:    config.Clock,
		verdicts: lru.NewLRUExpireCacheWithClock(config.CacheSize, config.Clock),
		freshFor: config.FreshFor, staleFor: config.StaleFor, retryAfter: config.RetryAfter,
	}
}

// verifiedKey has no repository in it: the same digest is the same content wherever it lies, and what
// a key signed stays signed. Which repositories a policy covers is asked before.
func verifiedKey(digest string, s signer) string { return "verified " + digest + " " + s.fingerprint }

// rejectedKey has: a signature that is missing in one repository may lie in another.
func rejectedKey(ref image.Reference, signers []signer) string {
	return "rejected " + questionKey(ref, signers)
}

// proof returns what is known of a digest.
func (c *cache) proof(ref image.Reference, signers []signer, accept age) (image.Proof, bool) {
	for _, s := range signers {
		value, found := c.verdicts.Get(verifiedKey(ref.Digest, s))
		if !found {
			continue
		}
		until := value.(time.Time)
		if accept == stale || !c.clock.Now().After(until) {
			return image.Proof{Verified: true, Authority: s.name}, true
		}
	}
	if value, found := c.verdicts.Get(rejectedKey(ref, signers)); found && accept == fresh {
		return value.(image.Proof), true
	}
	return image.Proof{}, false
}

// setProof remembers a definite outcome: verified for long, rejected for seconds, because the image
// may be signed any moment.
func (c *cache) setProof(ref image.Reference, signers []signer, proof image.Proof) {
	if !proof.Verified {
		for _, s := range signers {
			c.verdicts.Remove(verifiedKey(ref.Digest, s))
		}
		c.verdicts.Add(rejectedKey(ref, signers), proof, c.retryAfter)
		return
	}
	for _, s := range signers {
		if s.name == proof.Authority {
			c.verdicts.Add(verifiedKey(ref.Digest, s), c.clock.Now().Add(c.freshFor), c.freshFor+c.staleFor)
		}
	}
}

// failure returns the error of a question that failed a moment ago.
func (c *cache) failure(key string) error {
	if value, found := c.verdicts.Get("failure " + key); found {
		return value.(error)
	}
	return nil
}

func (c *cache) setFailure(key string, err error) {
	if err != nil {
		c.verdicts.Add("failure "+key, err, c.retryAfter)
	}
}
