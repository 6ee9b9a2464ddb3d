package verification

import (
	"context"
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
	// confirmed tells that cosign accepted it already.
	confirmed bool
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
	confirmed bool
}

// try returns the signatures by the authorities that are satisfied by it, or the reasons of the others.
func (s *signed) try(ctx context.Context, authorities []*authority) (signatures []accepted, rejected proof.Rejection) {
	t := &trial{signed: s, shared: map[*witnesses]testimony{}, alone: len(authorities) == 1}
	best := outcome{rank: -1}
	var name string
	for _, a := range authorities {
		got := t.by(ctx, a)
		switch {
		case got.signature != nil:
			signatures = append(signatures, accepted{Signature: *got.signature, authority: a, said: got.said, confirmed: got.confirmed})
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
	// alone tells that it is tried by one authority only.
	alone  bool
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

func (t *trial) by(ctx context.Context, a *authority) outcome {
	result := proof.Signature{Authority: a.name, Format: t.signed.format}
	if a.key != nil {
		result.Signer = a.key.signer
		// Most policies trust one key and ask for no witness. Then cosign's answer is all there is to know, unless it is no.
		// What is large is shown to it only once it was verified, as it copies that many times.
		if t.alone && a.witnesses == nil && len(t.signed.message) <= maxPayload && t.signed.confirm(ctx, accepted{authority: a}) == nil {
			return outcome{signature: &result, confirmed: true}
		}
		if !a.key.verifies(t.signed.message, t.signed.signature) {
			return outcome{reason: "signed by another key", rank: rankForeign}
		}
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
	// Who signed is asked before who bears witness: strangers' log entries and time stamps are not worth reading.
	summary, err := t.identified(a.witnesses)
	if err != nil {
		return outcome{reason: err.Error(), rank: rankUntrusted}
	}
	if mismatch := mismatchOf(a.identities, summary); mismatch != "" {
		return outcome{reason: mismatch, rank: rankUntrusted}
	}
	said, found := t.shared[a.witnesses]
	if !found {
		said = t.signed.testify(a.witnesses, bundle.NewCertificate(withoutSubjectName(t.signed.certificate)))
		said.summary = summary
		t.shared[a.witnesses] = said
	}
	if said.err != nil {
		return outcome{reason: said.err.Error(), rank: rankUnwitnessed}
	}
	result.Signer, result.Time = summary.Issuer+" "+summary.SubjectAlternativeName, said.time
	return outcome{signature: &result, said: said}
}

// mismatchOf is empty where the certificate is of one of the identities.
func mismatchOf(identities []identity, summary certificate.Summary) (mismatch string) {
	for _, i := range identities {
		if mismatch = i.mismatch(summary); mismatch == "" {
			return ""
		}
	}
	return mismatch
}

// identified verifies the signature by its certificate, and that an authority issued that: whether it was valid when it
// was used is for the witnesses to say.
func (t *trial) identified(w *witnesses) (certificate.Summary, error) {
	s := t.signed
	if t.leaf == nil && t.failed == nil {
		if t.leaf, t.failed = newPublicKey(s.certificate.PublicKey); t.failed == nil && !t.leaf.verifies(s.message, s.signature) {
			t.failed = errors.New("its signature is not by the key of its certificate")
		}
	}
	if t.failed != nil {
		return certificate.Summary{}, t.failed
	}
	// From the certificate as it is: the chain cannot be verified with a kind of subject name that Go does not know.
	summary, err := certificate.SummarizeCertificate(s.certificate)
	if err != nil {
		return certificate.Summary{}, fmt.Errorf("its certificate names nobody: %w", err)
	}
	leaf := withoutSubjectName(s.certificate)
	for _, at := range []time.Time{leaf.NotBefore, leaf.NotAfter} {
		if _, err := verify.VerifyLeafCertificate(at, leaf, w.material); err == nil {
			return summary, nil
		}
	}
	return certificate.Summary{}, errUntrustedCertificate
}

// errUntrustedCertificate does not say which of the two it is: an authority that had expired is none.
var errUntrustedCertificate = errors.New("its certificate is not by a trusted authority, or was not valid when it was signed")

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
			return testimony{err: fmt.Errorf("%w (%s)", errUntrustedCertificate, at.UTC().Format(time.RFC3339))}
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
