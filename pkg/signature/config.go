package signature

import (
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verdict"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// Defaults of Config.
const (
	defaultTimeout    = 9 * time.Second
	defaultPatience   = time.Second
	defaultRetryAfter = 3 * time.Second
)

// Config of a Verifier. Every field may be zero: then it uses what this process has, as a command line tool does.
type Config struct {
	// Registries that need more than their name: registry.ReadConfiguration reads them from a file.
	Registries []registry.Registry
	// Keychain holds this process' own credentials; its Docker configuration if nil.
	Keychain authn.Keychain
	// PullSecrets reads those of Pods; if nil, only the own credentials are used.
	PullSecrets registry.Secrets
	// KeySecrets reads public keys from Secrets; if nil, ImagePolicies that name one cannot be judged by.
	KeySecrets verification.KeySecrets
	// KMS reads public keys from key management services; likewise.
	KMS verification.KMS
	// PublicSigstore says where the trust root of the public Sigstore comes from.
	PublicSigstore verification.PublicSigstore

	// Store keeps verified facts between processes; they are kept in memory only if it is nil.
	Store verdict.Store
	// MaxFacts and MaxBytes in memory; verdict.DefaultMaxFacts and verdict.DefaultMaxBytes if zero.
	MaxFacts, MaxBytes int

	// Timeout of answering one question; 9 s if zero. The callers' contexts bound only their own waiting.
	Timeout time.Duration
	// Patience is how long a caller waits for a registry where what was verified before would do; 1 s if zero.
	Patience time.Duration
	// RetryAfter is how long a failure or a negative answer is not asked for again; 3 s if zero.
	RetryAfter time.Duration

	// Clock by which facts age; the real one if nil.
	Clock clock.WithTicker
	// Registerer of metrics; none are registered if nil.
	Registerer prometheus.Registerer
	Log        logr.Logger
}

func (c *Config) complete() {
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	setDefault(&c.Timeout, defaultTimeout)
	setDefault(&c.Patience, defaultPatience)
	setDefault(&c.RetryAfter, defaultRetryAfter)
}

func setDefault(value *time.Duration, otherwise time.Duration) {
	if *value <= 0 {
		*value = otherwise
	}
}
