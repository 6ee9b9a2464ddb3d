package verdictstore

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// header of the encoding. Another version is another header; what one does not know is absent.
const header = "rune-verdicts/1\n"

// Bounds of what one ConfigMap holds, in bytes: 1 MiB is the API server's own bound, and reading all of them must not
// take more memory than serving.
const (
	maxCompressed = 700 << 10
	maxPlain      = 2 << 20
)

// sealed is a record with its seal.
type sealed struct {
	name   string
	record proof.Record
	seal   []byte
}

// shard is what one ConfigMap holds, by the records' names.
type shard map[string]*sealed

// readShard returns the records whose seal holds, and how many others there are. It reads as far as it can.
func readShard(compressed []byte, s seals) (content shard, broken int) {
	content = shard{}
	if len(compressed) == 0 {
		return content, 0
	}
	plain, err := decompress(compressed)
	if err != nil {
		broken++
	}
	rest, found := bytes.CutPrefix(plain, []byte(header))
	if !found {
		return content, 1
	}
	for len(rest) > 0 {
		var e *sealed
		if e, rest, err = readSealed(rest); err != nil {
			return content, broken + 1
		}
		if !s.hold(e) {
			broken++
			continue
		}
		content[e.name] = e
	}
	return content, broken
}

// decompress returns what could be read, also with an error.
func decompress(compressed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(reader, maxPlain+1))
	if len(plain) > maxPlain {
		return plain[:maxPlain], errors.New("too large")
	}
	return plain, err
}

// clockSkew that replicas may have.
const clockSkew = 5 * time.Minute

var errCutOff = errors.New("the record is cut off")

func readSealed(from []byte) (e *sealed, rest []byte, err error) {
	name, rest, err := readPart(from)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) < 16 {
		return nil, nil, errCutOff
	}
	e = &sealed{name: string(name)}
	e.record.At = time.Unix(0, int64(binary.BigEndian.Uint64(rest)))        //nolint:gosec // the bits are what counts
	e.record.Until = time.Unix(0, int64(binary.BigEndian.Uint64(rest[8:]))) //nolint:gosec // likewise
	if e.record.Content, rest, err = readPart(rest[16:]); err != nil {
		return nil, nil, err
	}
	if len(rest) < sha256.Size {
		return nil, nil, errCutOff
	}
	e.seal = rest[:sha256.Size]
	return e, rest[sha256.Size:], nil
}

func readPart(from []byte) (part, rest []byte, err error) {
	length, n := binary.Uvarint(from)
	if n <= 0 || length > uint64(len(from)-n) {
		return nil, nil, errCutOff
	}
	end := n + int(length) //nolint:gosec // not above the length of a slice
	return from[n:end:end], from[end:], nil
}

// merge takes changes over where they are later than what is there, drops what no longer counts, and tells whether
// anything has changed.
func (c shard) merge(changes map[string]proof.Record, s seals, now time.Time) bool {
	changed := false
	for name, record := range changes {
		known, found := c[name]
		// One from the future, by a replica whose clock was wrong, must not stand in the way until then.
		if found && known.record.At.After(record.At) && !known.record.At.After(now.Add(clockSkew)) {
			continue
		}
		switch {
		case len(record.Content) == 0:
			delete(c, name)
			changed = changed || found
		case found && known.record.At.Equal(record.At) && bytes.Equal(known.record.Content, record.Content):
		default:
			c[name] = &sealed{name: name, record: record, seal: s.of(name, record)}
			changed = true
		}
	}
	before := len(c)
	maps.DeleteFunc(c, func(_ string, e *sealed) bool { return !e.record.Until.After(now) })
	return changed || len(c) != before
}

// encode returns what goes into a ConfigMap. Where there is no room for all, those that end last stay.
func (c shard) encode() ([]byte, error) {
	list := slices.SortedFunc(maps.Values(c), func(a, b *sealed) int {
		return cmp.Or(b.record.Until.Compare(a.record.Until), cmp.Compare(a.name, b.name))
	})
	for {
		plain := []byte(header)
		for i, e := range list {
			next := append(appendUnsealed(plain, e.name, e.record), e.seal...)
			if len(next) > maxPlain {
				list = list[:i]
				break
			}
			plain = next
		}
		compressed, err := compress(plain)
		if err != nil {
			return nil, fmt.Errorf("compressing verdicts: %w", err)
		}
		if len(compressed) <= maxCompressed || len(list) == 0 {
			return compressed, nil
		}
		list = list[:len(list)*3/4]
	}
}

func compress(plain []byte) ([]byte, error) {
	var buffer bytes.Buffer
	// Nobody waits for it, but many are written: verdicts compress by their repeated texts, which any level finds.
	writer, err := gzip.NewWriterLevel(&buffer, gzip.BestSpeed)
	if err == nil {
		_, err = writer.Write(plain)
	}
	if err == nil {
		err = writer.Close()
	}
	return buffer.Bytes(), err
}
