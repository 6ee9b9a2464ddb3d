package signature

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verdict"
)

// refreshAt is the share of its time, in percent, after which evidence that is asked for is collected anew while it
// still counts.
const refreshAt = 80

// examiner answers questions about digests by what is known of them, and asks registries for the rest.
type examiner struct {
	desk         *desk
	book         *verdict.Book
	preparations *preparations
	clock        clock.PassiveClock
	metrics      *metrics
	pinger       pinger
}

// findings are evidence and the judgement of it for one question.
type findings struct {
	evidence *proof.Evidence
	outcome  proof.Outcome
}

// verify answers a question. See the package's documentation for what is remembered.
func (x *examiner) verify(ctx context.Context, q proof.Question) (proof.Finding, outcome, error) {
	if q.Image.Digest == "" {
		return proof.Finding{}, outcomeUnknown, fmt.Errorf("verifying %q: it names no digest", q.Image)
	}
	if q.Now.IsZero() {
		q.Now = x.clock.Now()
	}
	keys, err := x.preparations.of(ctx, q.Requirement)
	if err != nil {
		return proof.Finding{}, outcomeUnknown, err
	}
	by := keys
	before, age := x.known(q, x.book.Get(evidenceKey(q, by)))
	if before == nil && keys.before != nil {
		by = *keys.before
		before, age = x.known(q, x.book.Get(evidenceKey(q, by)))
	}
	validFor := q.Requirement.ValidFor()
	if before != nil && age < validFor {
		if age >= validFor/100*refreshAt {
			askLater(ctx, x.desk, x.inquiry(q, keys, nil))
		}
		return x.finding(q, by, *before, nil), outcomeCached, nil
	}
	in := x.inquiry(q, keys, before)
	evidence, stale, err := ask(ctx, x.desk, in)
	if err != nil {
		if errors.Is(err, image.ErrNotExist) {
			return proof.Finding{}, outcomeAbsent, err
		}
		return proof.Finding{}, outcomeUnknown, err
	}
	if stale == nil {
		by = keys
	}
	answer := x.finding(q, by, x.judge(q, evidence), stale)
	switch {
	case !answer.Outcome.Satisfied:
		return answer, outcomeRejected, nil
	case answer.Stale != "":
		return answer, outcomeStale, nil
	case stale != nil:
		// Another replica has just verified it.
		return answer, outcomeCached, nil
	}
	return answer, outcomeVerified, nil
}

func evidenceKey(q proof.Question, keys preparation) verdict.Key {
	return verdict.Key{Kind: verdict.KindEvidence, Subject: q.Image.Digest, Detail: keys.fingerprint}
}

func sourceOf(registry string) string { return fmt.Sprintf("registry %q", registry) }

// known judges a fact. It returns nil where the fact does not satisfy the question or no longer counts at all: then
// only the registry can tell.
func (x *examiner) known(q proof.Question, fact *verdict.Fact) (*findings, time.Duration) {
	if fact == nil {
		return nil, 0
	}
	age := since(x.clock, fact.At)
	if age >= q.Requirement.ValidFor()+q.Requirement.StaleFor() {
		return nil, 0
	}
	judged := x.judge(q, fact.Evidence)
	if !judged.outcome.Satisfied {
		return nil, 0
	}
	return &judged, age
}

func (x *examiner) judge(q proof.Question, evidence *proof.Evidence) findings {
	return findings{evidence: evidence, outcome: q.Requirement.Judge(evidence, proof.Context{
		Image: q.Image, Environment: q.Environment, Now: q.Now,
	})}
}

// inquiry is the question to the registry. What it finds out to be lacking belongs to the repository and to the
// credentials that were used.
func (x *examiner) inquiry(q proof.Question, keys preparation, before *findings) inquiry[*proof.Evidence] {
	key := evidenceKey(q, keys)
	in := inquiry[*proof.Evidence]{
		key:    key.String() + " " + q.Image.Name() + " " + q.Access.Key(),
		source: sourceOf(q.Image.Registry),
		part:   q.Image.Repository,
		alive:  func(ctx context.Context) error { return x.pinger.Ping(ctx, q.Image.Registry) },
	}
	if before != nil {
		in.before = &before.evidence
	}
	in.work = func(ctx context.Context) (*proof.Evidence, error) { return x.collect(ctx, q, keys, in.key) }
	in.elsewhere = func(ctx context.Context) **proof.Evidence {
		found := x.find(ctx, q, key)
		if found == nil && keys.before != nil {
			found = x.find(ctx, q, evidenceKey(q, *keys.before))
		}
		return found
	}
	return in
}

// find looks up what other replicas know; nil where they know nothing that satisfies the question.
func (x *examiner) find(ctx context.Context, q proof.Question, key verdict.Key) **proof.Evidence {
	fact, err := x.book.Find(ctx, key)
	if err != nil {
		x.metrics.log.V(1).Info("cannot look up what other replicas know", "cause", err.Error())
		return nil
	}
	found, _ := x.known(q, fact)
	if found == nil {
		return nil
	}
	return &found.evidence
}

// collect asks the registry and remembers what it said.
func (x *examiner) collect(ctx context.Context, q proof.Question, keys preparation, question string) (*proof.Evidence, error) {
	if keys.keys == nil {
		// Not wrapped: whatever became of the keys says nothing about the registry.
		return nil, fmt.Errorf("%v", keys.unread) //nolint:errorlint // see above
	}
	// The facts are at least as new as this, whenever they were read.
	started := x.clock.Now()
	evidence, err := keys.keys.collect(ctx, q.Access, q.Image)
	x.metrics.collected(since(x.clock, started))
	key := evidenceKey(q, keys)
	if errors.Is(err, image.ErrNotExist) {
		x.dropFrom(key, q.Image.Name())
		if keys.before != nil {
			x.dropFrom(evidenceKey(q, *keys.before), q.Image.Name())
		}
	}
	if err != nil {
		return nil, err
	}
	if evidence.Digest != q.Image.Digest {
		return nil, fmt.Errorf("verifying %q: the evidence is about %q", q.Image, evidence.Digest)
	}
	evidence.CollectedAt = started
	satisfied := x.judge(q, &evidence).outcome.Satisfied
	x.remember(q, key, &evidence, satisfied)
	if !satisfied {
		// That something is lacking is kept for seconds only: it may be made up for at any moment.
		x.desk.recent.Add(question, notice[*proof.Evidence]{&evidence}, x.desk.retryAfter)
	}
	return &evidence, nil
}

// remember keeps what was verified for as long as the policy says, wherever it was found: what is signed stays signed.
func (x *examiner) remember(q proof.Question, key verdict.Key, evidence *proof.Evidence, satisfied bool) {
	source := q.Image.Name()
	if len(evidence.Signatures) == 0 && len(evidence.Attestations) == 0 {
		x.dropFrom(key, source)
		return
	}
	// A copy of the image in another repository may lack what lies beside the first.
	if known := x.book.Get(key); known != nil && known.Source != source && !satisfied {
		if before, _ := x.known(q, known); before != nil {
			return
		}
	}
	x.book.Keep(key, &verdict.Fact{
		Evidence: evidence, Source: source, At: evidence.CollectedAt,
		Until: evidence.CollectedAt.Add(q.Requirement.ValidFor() + q.Requirement.StaleFor()),
	})
}

// dropFrom forgets evidence that the repository in which it was found no longer has.
func (x *examiner) dropFrom(key verdict.Key, source string) {
	if known := x.book.Get(key); known != nil && known.Source == source {
		x.book.Drop(key)
	}
}

// finding words why older facts than usual count.
func (x *examiner) finding(q proof.Question, keys preparation, judged findings, stale error) proof.Finding {
	finding := proof.Finding{Evidence: *judged.evidence, Outcome: judged.outcome}
	validFor, staleFor := q.Requirement.ValidFor(), q.Requirement.StaleFor()
	collected := judged.evidence.CollectedAt
	switch {
	case stale != nil && since(x.clock, collected) >= validFor:
		finding.Stale = fmt.Sprintf("%v; verified %s ago, counts until %s",
			stale, duration.HumanDuration(since(x.clock, collected)), words(counting(stale, collected.Add(validFor+staleFor))))
	case keys.unread != nil:
		finding.Stale = fmt.Sprintf("%v; verified by keys that were read %s ago, counts until %s",
			keys.unread, duration.HumanDuration(since(x.clock, keys.readAt)), words(keys.readAt.Add(validFor+staleFor)))
	}
	return finding
}

// words of a time for people, to the minute.
func words(at time.Time) string { return at.UTC().Format("2006-01-02T15:04Z07:00") }
