package registry

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// maxDescriptor bounds one descriptor with its annotations, in bytes. Registries copy the annotations
// of a manifest, which may have megabytes of them.
const maxDescriptor = 64 << 10

// errTruncated says that a list was not read to its end, as it is longer than may be read.
var errTruncated = errors.New("longer than may be read")

// readIndex gives the descriptors of an image index to each, one at a time. A descriptor that is none
// (of another type, without a sha256 digest, of a negative size) is passed over: junk beside a
// signature changes nothing. It returns how many were passed over because of their size, and how many
// bytes it read, at most limit. What is no index at all is an *answerError.
//
// It finds the bounds of values by itself, since json.Decoder reads each into memory, whatever its size.
func readIndex(body io.Reader, limit int64, each func(Descriptor)) (oversized int, read int64, err error) {
	r := &indexReader{input: bufio.NewReader(body), limit: limit}
	err = r.members('{', '}', func(first byte) error {
		name, err := r.value(first)
		if err != nil {
			return err
		}
		isList := first == '"' && string(name) == `"manifests"`
		if colon, err := r.token(); err != nil || colon != ':' {
			return orSyntax(err, colon)
		}
		if first, err = r.token(); err != nil {
			return err
		}
		if isList {
			return r.descriptors(first, each)
		}
		_, err = r.value(first)
		return err
	})
	if errors.Is(err, io.EOF) {
		err = &answerError{cause: "sent a list of referrers that ends early", err: err}
	}
	return r.oversized, r.read, err
}

// indexReader splits JSON into values without keeping more than one of bounded size.
type indexReader struct {
	input       *bufio.Reader
	limit, read int64
	// kept is reused for each value.
	kept      []byte
	oversized int
}

func (r *indexReader) descriptors(first byte, each func(Descriptor)) error {
	if first != '[' {
		// Some write null for an empty list.
		value, err := r.value(first)
		if err == nil && string(value) != "null" {
			err = &answerError{cause: "sent a list of referrers that is no list"}
		}
		return err
	}
	return r.rest(']', func(first byte) error {
		value, err := r.value(first)
		if err != nil {
			return err
		}
		if value == nil {
			r.oversized++
			return nil
		}
		var d Descriptor
		if json.Unmarshal(value, &d) == nil && image.ValidDigest(d.Digest) && d.Size >= 0 {
			each(d)
		}
		return nil
	})
}

// members reads a list between two brackets; rest does behind the first one. Member is given the first
// byte of each member and reads it to its end.
func (r *indexReader) members(begin, end byte, member func(first byte) error) error {
	first, err := r.token()
	if err != nil {
		return err
	}
	if first != begin {
		return &answerError{cause: fmt.Sprintf("sent a list of referrers that is no image index: it begins with %q", first)}
	}
	return r.rest(end, member)
}

func (r *indexReader) rest(end byte, member func(first byte) error) error {
	for number := 0; ; number++ {
		next, err := r.token()
		if err != nil {
			return err
		}
		if next == end {
			return nil
		}
		if number > 0 {
			if next != ',' {
				return syntaxError(next)
			}
			if next, err = r.token(); err != nil {
				return err
			}
		}
		if err := member(next); err != nil {
			return err
		}
	}
}

// value reads a value to its end, given its first byte. It returns nil for one that is too large. The
// bytes are valid until the next call.
func (r *indexReader) value(first byte) ([]byte, error) {
	r.kept = r.kept[:0]
	r.keep(first)
	var err error
	switch {
	case first == '"':
		err = r.text()
	case first == '{' || first == '[':
		err = r.nested()
	case strings.IndexByte("-0123456789tfn", first) >= 0:
		err = r.scalar()
	default:
		err = syntaxError(first)
	}
	if err != nil || len(r.kept) > maxDescriptor {
		return nil, err
	}
	return r.kept, nil
}

func (r *indexReader) text() error {
	for {
		next, err := r.byte()
		if err != nil {
			return err
		}
		r.keep(next)
		if next == '"' {
			return nil
		}
		if next == '\\' {
			if next, err = r.byte(); err != nil {
				return err
			}
			r.keep(next)
		}
	}
}

// nested does not tell the two kinds of brackets apart: what is kept is parsed again.
func (r *indexReader) nested() error {
	for depth := 1; depth > 0; {
		next, err := r.byte()
		if err != nil {
			return err
		}
		r.keep(next)
		switch next {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			if err := r.text(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *indexReader) scalar() error {
	for {
		next, err := r.byte()
		if err != nil {
			return err
		}
		if strings.IndexByte(",]} \t\r\n", next) >= 0 {
			r.read--
			return r.input.UnreadByte()
		}
		r.keep(next)
	}
}

// token is the next byte that is no space.
func (r *indexReader) token() (byte, error) {
	for {
		next, err := r.byte()
		if err != nil || strings.IndexByte(" \t\r\n", next) < 0 {
			return next, err
		}
	}
}

func (r *indexReader) byte() (byte, error) {
	if r.read == r.limit {
		return 0, errTruncated
	}
	next, err := r.input.ReadByte()
	if err == nil {
		r.read++
	}
	return next, err
}

func (r *indexReader) keep(next byte) {
	if len(r.kept) <= maxDescriptor {
		r.kept = append(r.kept, next)
	}
}

func syntaxError(found byte) error {
	return &answerError{cause: fmt.Sprintf("sent a list of referrers that cannot be read: unexpected %q", found)}
}

func orSyntax(err error, found byte) error {
	if err != nil {
		return err
	}
	return syntaxError(found)
}
