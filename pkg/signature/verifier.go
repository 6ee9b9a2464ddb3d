package signature

import (
	"context"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verdict"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// Verifier implements the port Images of package admission. It is safe for concurrent use.
type Verifier struct {
	book     *verdict.Book
	examiner *examiner
	resolver *resolver
	metrics  *metrics
}

// New returns a Verifier. It opens no connection; it reads the files that the configuration of registries names.
func New(config Config) (*Verifier, error) {
	config.complete()
	book := newBook(config)
	metrics, err := newMetrics(config.Registerer, book, config.Log)
	if err != nil {
		return nil, err
	}
	client, err := registry.New(registry.Config{
		Registries: config.Registries, Keychain: config.Keychain, Secrets: config.PullSecrets,
		Clock: config.Clock, Observe: metrics.request,
	})
	if err != nil {
		return nil, err
	}
	verifier := verification.New(verification.Config{
		Registry: client, Secrets: config.KeySecrets, KMS: config.KMS,
		PublicSigstore: config.PublicSigstore, Clock: config.Clock,
	})
	return assemble(config, book, metrics, adapter{verifier}, heads{client}), nil
}

func newBook(config Config) *verdict.Book {
	return verdict.NewBook(verdict.Options{
		Store: config.Store, Clock: config.Clock, Log: config.Log, MaxFacts: config.MaxFacts, MaxBytes: config.MaxBytes,
	})
}

func assemble(config Config, book *verdict.Book, metrics *metrics, evidence collector, heads tags) *Verifier {
	desk := newDesk(&config)
	return &Verifier{
		book: book,
		examiner: &examiner{
			desk: desk, book: book, preparations: newPreparations(evidence, desk, book, config.Clock),
			clock: config.Clock, metrics: metrics, pinger: heads,
		},
		resolver: &resolver{tags: heads, desk: desk, book: book, clock: config.Clock},
		metrics:  metrics,
	}
}

// Resolve returns the digest that a tag names now. The registry is asked each time; while it fails, what it said last
// counts for a day, and the Resolution says so. The error is image.ErrNotExist where it knows no such image.
func (v *Verifier) Resolve(ctx context.Context, access image.Access, ref image.Reference) (image.Resolution, error) {
	return v.resolver.resolve(ctx, access, ref)
}

// Verify says whether a digest satisfies an ImagePolicy. An error means that nobody could tell, or is
// image.ErrNotExist.
func (v *Verifier) Verify(ctx context.Context, question proof.Question) (proof.Finding, error) {
	finding, outcome, err := v.examiner.verify(ctx, question)
	v.metrics.verified(outcome)
	return finding, err
}

// Load takes over what is stored, so that what other processes verified counts here. Without it the Verifier works,
// and looks single facts up where a registry fails.
func (v *Verifier) Load(ctx context.Context) error { return v.book.Load(ctx) }

// Run stores what was verified until ctx ends, and once more then.
func (v *Verifier) Run(ctx context.Context) error { return v.book.Run(ctx) }

// adapter makes a collector of package verification.
type adapter struct{ verifier *verification.Verifier }

func (a adapter) prepare(ctx context.Context, requirement *proof.Requirement) (prepared, error) {
	authorities, err := a.verifier.Prepare(ctx, requirement)
	if err != nil {
		return nil, err
	}
	return keys{verifier: a.verifier, requirement: requirement, Authorities: authorities}, nil
}

// keys are the authorities of one Requirement, and who verifies by them.
type keys struct {
	verifier    *verification.Verifier
	requirement *proof.Requirement
	*verification.Authorities
}

func (k keys) collect(ctx context.Context, access image.Access, ref image.Reference) (proof.Evidence, error) {
	return k.verifier.Collect(ctx, access, ref, k.requirement, k.Authorities)
}

// heads asks the registry client for tags.
type heads struct{ client *registry.Client }

// Head implements tags.
func (h heads) Head(ctx context.Context, access image.Access, ref image.Reference) (string, error) {
	return h.client.Head(ctx, registry.Access(access), ref)
}

// Ping implements pinger.
func (h heads) Ping(ctx context.Context, registry string) error { return h.client.Ping(ctx, registry) }
