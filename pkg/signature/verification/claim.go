package verification

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

const (
	// statementPayload is the DSSE payload type of statements.
	statementPayload = "application/vnd.in-toto+json"
)

// errOtherImage says that something was signed by the right one, and copied from another image.
var errOtherImage = errors.New("is for another image")

// claim is what a signer says of a digest.
type claim struct {
	// predicateType is empty for a signature in the sense of a .sig tag.
	predicateType string
	predicate     json.RawMessage
}

// isSignature tells whether the claim signs the image itself, and nothing more.
func (c claim) isSignature() bool {
	return c.predicateType == "" || c.predicateType == proof.SignaturePredicateType
}

// readPayload reads what is signed in a .sig tag. The digest must be the one that is asked.
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#payloads
func readPayload(raw []byte, digest string) (claim, error) {
	var payload struct {
		Critical struct {
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	if err := decode(raw, &payload); err != nil {
		return claim{}, fmt.Errorf("its payload cannot be read: %w", err)
	}
	switch payload.Critical.Image.Digest {
	case digest:
		return claim{}, nil
	case "":
		return claim{}, errors.New("its payload names no image")
	}
	return claim{}, errOtherImage
}

// readStatement reads an in-toto statement. One of its subjects must have the digest that is asked.
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
func readStatement(raw []byte, digest string) (claim, error) {
	var statement struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := decode(raw, &statement); err != nil {
		return claim{}, fmt.Errorf("its statement cannot be read: %w", err)
	}
	read := claim{predicateType: statement.PredicateType, predicate: statement.Predicate}
	switch statement.Type {
	case "https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1":
	default:
		return read, fmt.Errorf("is of type %s and no in-toto statement", quote(statement.Type))
	}
	if statement.PredicateType == "" {
		return read, errors.New("its statement has no predicateType")
	}
	algorithm, value, _ := strings.Cut(digest, ":")
	for _, subject := range statement.Subject {
		if value != "" && strings.EqualFold(subject.Digest[algorithm], value) {
			return read, nil
		}
	}
	return read, errOtherImage
}

// signedMessage is what is signed of a statement. It is copied once only: statements are large.
// https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md
func signedMessage(statement []byte) []byte {
	return slices.Concat(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(statementPayload), statementPayload, len(statement)), statement)
}

// decode reads JSON in which each name stands once, in the case that is meant: else two readers of one signed text
// could understand different things.
func decode(raw []byte, into any) error {
	mistakes, err := kjson.UnmarshalStrict(raw, into, kjson.DisallowDuplicateFields)
	return errors.Join(append(mistakes, err)...)
}
