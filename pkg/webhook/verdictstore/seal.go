package verdictstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// minSealKey is the shortest key that seals, in bytes: that of SHA-256's output (RFC 2104, section 3).
const minSealKey = 32

// purpose keeps these seals apart from the others that are made with the same key.
const purpose = "rune.runeframeos.com/verdict/v1"

// seals makes and checks the seals of records.
type seals struct{ key []byte }

func newSeals(key []byte) (seals, error) {
	if len(key) < minSealKey {
		return seals{}, errors.New("sealing verdicts: the key is too short")
	}
	derived := hmac.New(sha256.New, key)
	derived.Write([]byte(purpose))
	return seals{key: derived.Sum(nil)}, nil
}

func (s seals) of(name string, record proof.Record) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(appendUnsealed(nil, name, record))
	return mac.Sum(nil)
}

func (s seals) hold(e *sealed) bool { return hmac.Equal(e.seal, s.of(e.name, e.record)) }

// appendUnsealed encodes a record so that no part of it can run over into its neighbor: each has its length in front.
func appendUnsealed(to []byte, name string, record proof.Record) []byte {
	to = appendPart(to, []byte(name))
	to = binary.BigEndian.AppendUint64(to, uint64(record.At.UnixNano()))    //nolint:gosec // the bits are what counts
	to = binary.BigEndian.AppendUint64(to, uint64(record.Until.UnixNano())) //nolint:gosec // likewise
	return appendPart(to, record.Content)
}

func appendPart(to, part []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(part))), part...)
}
