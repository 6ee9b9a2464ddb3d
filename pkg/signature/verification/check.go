package verification

import (
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// outcome of trying one signature by one authority.
type outcome struct {
	signature *proof.Signature
	said      testimony
	// reason why it is none; rank is how much it tells: the right signer without a witness more than another signer.
	reason string
	rank   int
}

// The ranks of reasons, by how near the signature came to being one.
const (
	rankForeign = iota
	rankUntrusted
	rankUnwitnessed
)

// accepted is a signature that our own checks found to be an authority's.
type accepted struct {
	proof.Signature
	authority *authority
	said      testimony
}

// try returns the signatures by the authorities that are satisfied by it, or the reasons of the others.
func (s *signed) try(authorities []*authority) (signatures []accepted, rejected proof.Rejection) {
	t := &trial{signed: s, shared: map[*witnesses]testimony{}}
	best := outcome{rank: -1}
	var name string
	for _, a := range authorities {
		got := t.by(a)
		switch {
		case got.signature != nil:
			signatures = append(signatures, accepted{Signature: *got.signature, authority: a, said: got.said})
		case got.rank > best.rank:
			best, name = got, a.name
		case got.rank == best.rank && got.reason != best.reason:
			best.reason += "; " + got.reason
			name = ""
		}
	}
	if best.rank == rankForeign {
		name = ""
	}
	return signatures, proof.Rejection{Format: s.format, Authority: name, Reason: best.reason}
}

// trial is of one signature by all authorities; what they have in common is checked once.
type trial struct {
	signed *signed
	shared map[*witnesses]testimony
	leaf   *publicKey
	failed error
}

// testimony is what was found of a certificate or of a key by its witnesses.
type testimony struct {
	summary certificate.Summary
	time    time.Time
	// stamped tells that a time stamp was among the witnesses.
	stamped bool
	err     error
}

func (t *trial) by(a *authority) outcome {
	result := proof.Signature{Authority: a.name, Format: t.signed.format}
	if a.key != nil {
		if !a.key.verifies(t.signed.message, t.signed.signature) {
			return outcome{reason: "signed by another key", rank: rankForeign}
		}
		result.Signer = a.key.signer
		if a.witnesses == nil {
			return outcome{signature: &result}
		}
		said := t.signed.testify(a.witnesses, keySigner{key: a.key})
		if said.err != nil {
			return outcome{reason: said.err.Error(), rank: rankUnwitnessed}
		}
		result.Time = said.time
		return outcome{signature: &result, said: said}
	}
	if t.signed.certificate == nil {
		return outcome{reason: "signed by a key and not by a certificate", rank: rankForeign}
	}
	said := t.certified(a.witnesses)
	if said.err != nil {
		return outcome{reason: said.err.Error(), rank: rankUntrusted}
	}
	var mismatch string
	for _, i := range a.identities {
		if mismatch = i.mismatch(said.summary); mismatch == "" {
			break
		}
	}
	if mismatch != "" {
		return outcome{reason: mismatch, rank: rankUntrusted}
	}
	result.Signer, result.Time = said.summary.Issuer+" "+said.summary.SubjectAlternativeName, said.time
	return outcome{signature: &result, said: said}
}

// certified verifies the signature by its certificate, and the certificate by the witnesses.
func (t *trial) certified(w *witnesses) testimony {
	if known, found := t.shared[w]; found {
		return known
	}
	said := t.certifiedNow(w)
	t.shared[w] = said
	return said
}

func (t *trial) certifiedNow(w *witnesses) testimony {
	s := t.signed
	if t.leaf == nil && t.failed == nil {
		if t.leaf, t.failed = newPublicKey(s.certificate.PublicKey); t.failed == nil && !t.leaf.verifies(s.message, s.signature) {
			t.failed = errors.New("its signature is not by the key of its certificate")
		}
	}
	if t.failed != nil {
		return testimony{err: t.failed}
	}
	// Before the chain is verified, which a kind of subject name that Go does not know would prevent.
	summary, err := certificate.SummarizeCertificate(s.certificate)
	if err != nil {
		return testimony{err: fmt.Errorf("its certificate names nobody: %w", err)}
	}
	said := s.testify(w, bundle.NewCertificate(withoutSubjectName(s.certificate)))
	said.summary = summary
	return said
}

// testify checks what bears witness to the signature: log entries and time stamps, and by their time a certificate and
// its chain. Where there are several times the earliest is the signature's: a later stamp is easily had.
func (s *signed) testify(w *witnesses, signer verify.VerificationContent) testimony {
	times, stamped, err := s.times(w, signer)
	if err != nil {
		return testimony{err: err}
	}
	leaf := signer.Certificate()
	if leaf != nil && len(times) == 0 {
		return testimony{err: errors.New("no trusted time says when it was signed")}
	}
	said := testimony{stamped: stamped}
	for _, at := range times {
		if said.time.IsZero() || at.Before(said.time) {
			said.time = at.UTC()
		}
		if leaf == nil {
			continue
		}
		chains, err := verify.VerifyLeafCertificate(at, leaf, w.material)
		if err != nil {
			return testimony{err: fmt.Errorf("its certificate is not by a trusted authority, or was not valid when it was signed (%s)", at.UTC().Format(time.RFC3339))}
		}
		if !w.promised {
			continue
		}
		if err := verify.VerifySignedCertificateTimestamp(chains, 1, w.material); err != nil {
			return testimony{err: fmt.Errorf("no trusted log promised its certificate: %w", err)}
		}
	}
	return said
}

// times by trusted witnesses. That those which the policy requires are there is checked here.
func (s *signed) times(w *witnesses, signer verify.VerificationContent) (times []time.Time, isStamped bool, err error) {
	if w.log {
		logged, err := verify.VerifyTlogEntry(&entity{signed: s, covered: s.signature, signer: signer}, w.material, 1, true)
		if err != nil {
			return nil, false, fmt.Errorf("no trusted transparency log knows it: %w", err)
		}
		for _, at := range logged {
			times = append(times, at.Time)
		}
	}
	stamped, mistakes, err := verify.VerifySignedTimestamp(&entity{signed: s, covered: s.stamped, signer: signer}, w.material)
	if w.stamp && (err != nil || len(stamped) == 0) {
		reason := errors.Join(append(mistakes, err)...)
		if reason == nil {
			return nil, false, errors.New("it has no time stamp")
		}
		return nil, false, fmt.Errorf("it has no trusted time stamp: %w", reason)
	}
	for _, at := range stamped {
		times = append(times, at.Time)
	}
	return times, err == nil && len(stamped) > 0, nil
}
