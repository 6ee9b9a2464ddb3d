package verification

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	cosign "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/tlog"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// The annotations of layers under the tags sha256-….sig and sha256-….att.
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
const (
	annotationSignature   = "dev.cosignproject.cosign/signature"
	annotationCertificate = "dev.sigstore.cosign/certificate"
	annotationLogEntry    = "dev.sigstore.cosign/bundle"
	annotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
	annotationPredicate   = "predicateType"
)

// readTagSignature reads a layer of a .sig tag. What it says of a certificate, of logs and of time stamps is read only
// as far as it can be: a key alone needs none of them.
func readTagSignature(from layer, payload []byte, digest string) (*signed, error) {
	encoded, found := from.Annotations[annotationSignature]
	if !found {
		return nil, errors.New("it is no signature")
	}
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(signature) == 0 {
		return nil, errors.New("its signature is not in base64")
	}
	s := &signed{
		format: v1alpha1.FormatTag, message: payload, signature: signature, stamped: signature,
		claim: func() (claim, error) { return readPayload(payload, digest) }, digest: digest,
		cosigned: func(certified bool) (oci.Signature, error) {
			return static.NewSignature(payload, encoded, cosignOptions(from, certified)...)
		},
	}
	s.readAnnotations(from)
	return s, nil
}

// readTagAttestations reads a layer of an .att tag: an envelope with one signature or more.
func readTagAttestations(from layer, raw []byte, digest string) ([]*signed, error) {
	if err := checkStructure(raw, maxElements); err != nil {
		return nil, fmt.Errorf("its envelope cannot be read: %w", err)
	}
	var envelope dsse.Envelope
	if err := decode(raw, &envelope); err != nil {
		return nil, fmt.Errorf("its envelope cannot be read: %w", err)
	}
	if envelope.PayloadType != statementPayload {
		return nil, fmt.Errorf("its payload is of type %s and no in-toto statement", quote(envelope.PayloadType))
	}
	payload, err := envelope.DecodeB64Payload()
	if err != nil {
		return nil, fmt.Errorf("its envelope cannot be read: %w", err)
	}
	if len(envelope.Signatures) == 0 || len(envelope.Signatures) > maxSignatures {
		return nil, fmt.Errorf("its envelope has %d signatures, and not 1 to %d", len(envelope.Signatures), maxSignatures)
	}
	message := signedMessage(payload)
	var list []*signed
	for _, one := range envelope.Signatures {
		signature, err := base64.StdEncoding.DecodeString(one.Sig)
		if err != nil || len(signature) == 0 {
			continue
		}
		// cosign has the whole envelope stamped, and not the signature.
		s := &signed{
			format: v1alpha1.FormatTag, message: message, signature: signature, stamped: raw,
			hint:  hintedBy(from),
			claim: func() (claim, error) { return readStatement(payload, digest) }, digest: digest,
			cosigned: func(certified bool) (oci.Signature, error) {
				return static.NewAttestation(raw, cosignOptions(from, certified)...)
			},
		}
		s.readAnnotations(from)
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, errors.New("its signatures are not in base64")
	}
	return list, nil
}

// hintedBy is the predicate type that a layer says to have.
func hintedBy(l layer) string { return l.Annotations[annotationPredicate] }

// witness returns an annotation that strangers can write at will, and that is decoded; nothing if it is too large for
// what it should be.
func (l layer) witness(annotation string) string {
	text := l.Annotations[annotation]
	if len(text) > maxAnnotation || checkStructure([]byte(text), maxAnnotated) != nil {
		return ""
	}
	return text
}

// readAnnotations reads certificate, log entry and time stamp of a layer.
func (s *signed) readAnnotations(from layer) {
	if text := from.witness(annotationCertificate); text != "" {
		block, _ := pem.Decode([]byte(text))
		if block != nil {
			// A certificate that cannot be read is none; a key does not need it.
			s.certificate, _ = x509.ParseCertificate(block.Bytes)
		}
	}
	if text := from.witness(annotationLogEntry); text != "" {
		s.entries = func() ([]*tlog.Entry, error) { return readLogEntry([]byte(text)) }
	}
	if text := from.witness(annotationTimestamp); text != "" {
		var stamp struct {
			SignedRFC3161Timestamp []byte
		}
		if json.Unmarshal([]byte(text), &stamp) == nil && len(stamp.SignedRFC3161Timestamp) > 0 && len(stamp.SignedRFC3161Timestamp) <= maxWitness {
			s.stamps = [][]byte{stamp.SignedRFC3161Timestamp}
		}
	}
}

// cosignOptions are the certificate, log entry and time stamp of a layer in cosign's own form.
func cosignOptions(from layer, certified bool) []static.Option {
	var options []static.Option
	if text := from.witness(annotationCertificate); text != "" && certified {
		options = append(options, static.WithCertChain([]byte(text), nil))
	}
	var entry cosign.RekorBundle
	if text := from.witness(annotationLogEntry); text != "" && json.Unmarshal([]byte(text), &entry) == nil {
		options = append(options, static.WithBundle(&entry))
	}
	var stamp cosign.RFC3161Timestamp
	if text := from.witness(annotationTimestamp); text != "" && json.Unmarshal([]byte(text), &stamp) == nil {
		options = append(options, static.WithRFC3161Timestamp(&stamp))
	}
	return options
}

// readLogEntry reads what cosign keeps of its entry in Rekor: the log's promise to include it.
func readLogEntry(raw []byte) ([]*tlog.Entry, error) {
	var read struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&read); err != nil {
		return nil, fmt.Errorf("reading the log entry: %w", err)
	}
	if len(read.Payload.Body) > maxWitness {
		return nil, errLongWitness
	}
	log, err := hex.DecodeString(read.Payload.LogID)
	if err != nil {
		return nil, fmt.Errorf("reading the log's ID: %w", err)
	}
	var body struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	if err := json.Unmarshal(read.Payload.Body, &body); err != nil {
		return nil, fmt.Errorf("reading the body of the log entry: %w", err)
	}
	entry, err := tlog.ParseTransparencyLogEntry(&protorekor.TransparencyLogEntry{
		LogIndex:          read.Payload.LogIndex,
		LogId:             &protocommon.LogId{KeyId: log},
		KindVersion:       &protorekor.KindVersion{Kind: body.Kind, Version: body.Version},
		IntegratedTime:    read.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: read.SignedEntryTimestamp},
		CanonicalizedBody: read.Payload.Body,
	})
	if err != nil {
		return nil, fmt.Errorf("reading the log entry: %w", err)
	}
	return []*tlog.Entry{entry}, nil
}
