package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unique"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// Kind of a Fact.
type Kind string

// The kinds of facts.
const (
	// KindEvidence is what was verified of a digest (Subject) for a policy with its keys (Detail).
	KindEvidence Kind = "evidence"
	// KindTag is the digest that a reference by tag (Subject) named for some credentials (Detail).
	KindTag Kind = "tag"
	// KindKeys is the fingerprint of the keys and trust roots of a policy (Subject).
	KindKeys Kind = "keys"
)

// clockSkew that replicas may have; a fact from further in the future is none.
const clockSkew = 5 * time.Minute

// maxContent of a record in bytes. Facts that take more are kept in memory only.
const maxContent = 256 << 10

// Key identifies a fact.
type Key struct {
	Kind Kind
	// Subject has no space in it.
	Subject string
	Detail  string
}

// String is the key's form in a Store.
func (k Key) String() string { return string(k.Kind) + " " + k.Subject + " " + k.Detail }

// ParseKey reads what String wrote.
func ParseKey(text string) (Key, error) {
	parts := strings.SplitN(text, " ", 3)
	if len(parts) != 3 {
		return Key{}, fmt.Errorf("reading the key %q of a record: it has %d parts, want 3", text, len(parts))
	}
	switch kind := Kind(parts[0]); kind {
	case KindEvidence, KindTag, KindKeys:
		return Key{Kind: kind, Subject: parts[1], Detail: parts[2]}, nil
	}
	return Key{}, fmt.Errorf("reading the key %q of a record: %q is no kind of fact", text, parts[0])
}

// Fact is something that was verified or said, and when. It must not be changed once it is in a Book.
type Fact struct {
	// Evidence of KindEvidence.
	Evidence *proof.Evidence `json:"evidence,omitempty"`
	// Text is the digest of KindTag, and the fingerprint of KindKeys.
	Text string `json:"text,omitempty"`
	// Source is the repository that was asked.
	Source string `json:"source,omitempty"`
	// At is when it was asked.
	At time.Time `json:"at"`
	// Until is when the fact may be forgotten.
	Until time.Time `json:"until"`
}

// record of a fact for a Store. What was rejected is left out: it is for people who look at once.
func (f *Fact) record() (proof.Record, error) {
	stored := *f
	if f.Evidence != nil {
		evidence := *f.Evidence
		evidence.Rejected = nil
		stored.Evidence = &evidence
	}
	content, err := json.Marshal(stored)
	if err != nil {
		return proof.Record{}, fmt.Errorf("writing a record: %w", err)
	}
	if len(content) > maxContent {
		return proof.Record{}, errTooLarge
	}
	return proof.Record{Content: content, At: f.At, Until: f.Until}, nil
}

var errTooLarge = errors.New("the record is too large to be stored")

// readRecord returns an error for everything that is no fact of this key and time.
func readRecord(key Key, record proof.Record, now time.Time) (*Fact, error) {
	if len(record.Content) > maxContent {
		return nil, errTooLarge
	}
	fact := &Fact{}
	if err := json.Unmarshal(record.Content, fact); err != nil {
		return nil, fmt.Errorf("reading the record %q: %w", key, err)
	}
	switch {
	case fact.At.After(now.Add(clockSkew)):
		return nil, fmt.Errorf("reading the record %q: it is from the future (%s)", key, fact.At.UTC().Format(time.RFC3339))
	case !fact.Until.After(now):
		return nil, fmt.Errorf("reading the record %q: it counted until %s", key, fact.Until.UTC().Format(time.RFC3339))
	case key.Kind != KindEvidence && fact.Text == "":
		return nil, fmt.Errorf("reading the record %q: it is empty", key)
	case key.Kind == KindEvidence && (fact.Evidence == nil || fact.Evidence.Digest != key.Subject):
		return nil, fmt.Errorf("reading the record %q: its evidence is about something else", key)
	case key.Kind == KindEvidence && !fact.Evidence.CollectedAt.Equal(fact.At):
		return nil, fmt.Errorf("reading the record %q: it has two times", key)
	}
	return fact, nil
}

// share lets facts have one copy of the texts that are the same in most of them.
func (f *Fact) share() {
	f.Source = unique.Make(f.Source).Value()
	if f.Evidence == nil {
		return
	}
	for i := range f.Evidence.Signatures {
		shareSignature(&f.Evidence.Signatures[i])
	}
	for i := range f.Evidence.Attestations {
		attestation := &f.Evidence.Attestations[i]
		shareSignature(&attestation.Signature)
		attestation.PredicateType = unique.Make(attestation.PredicateType).Value()
	}
}

func shareSignature(s *proof.Signature) {
	s.Authority, s.Signer, s.Format = unique.Make(s.Authority).Value(), unique.Make(s.Signer).Value(), unique.Make(s.Format).Value()
}

// Sizes of what a fact takes in memory beside its texts, in bytes and generously: the entry of the map and the list,
// the structs, and the slices' slack.
const (
	sizeOfFact        = 512
	sizeOfSignature   = 128
	sizeOfAttestation = 192
	sizeOfRejection   = 128
)

// size is an upper estimate of the memory that a fact takes, in bytes.
func size(key Key, f *Fact) int {
	total := sizeOfFact + len(key.Subject) + len(key.Detail) + len(f.Text) + len(f.Source)
	if f.Evidence == nil {
		return total
	}
	total += len(f.Evidence.Digest)
	for _, s := range f.Evidence.Signatures {
		total += sizeOfSignature + len(s.Authority) + len(s.Signer)
	}
	for _, a := range f.Evidence.Attestations {
		total += sizeOfAttestation + len(a.Authority) + len(a.Signer) + len(a.PredicateType) + len(a.Predicate)
	}
	for _, r := range f.Evidence.Rejected {
		total += sizeOfRejection + len(r.Authority) + len(r.PredicateType) + len(r.Reason)
	}
	return total
}
