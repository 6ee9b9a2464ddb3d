package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// maxDescriptor bounds one descriptor with its annotations, or any other value of an index, in bytes.
const maxDescriptor = 64 << 10

// readIndex gives the descriptors of an image index to each, one at a time. A descriptor that is none
// (of another type, without a sha256 digest, of a negative size) is passed over: junk beside a
// signature changes nothing. What is no JSON, or larger than its bounds, is an *answerError.
func readIndex(body io.Reader, each func(Descriptor)) error {
	meter := &meter{inner: body}
	decoder := json.NewDecoder(meter)
	meter.consumed = decoder.InputOffset
	err := readIndexObject(decoder, each)
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax), errors.As(err, &mistyped):
		return &answerError{cause: fmt.Sprintf("sent a list of referrers that cannot be read: %s", err), err: err}
	case meter.total > maxIndex:
		return tooLarge("list of referrers", maxIndex)
	case meter.ended && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return &answerError{cause: "sent a list of referrers that ends early", err: err}
	}
	return err
}

func readIndexObject(decoder *json.Decoder, each func(Descriptor)) error {
	if err := expect(decoder, '{'); err != nil {
		return err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		if key != "manifests" {
			var ignored json.RawMessage
			if err := decoder.Decode(&ignored); err != nil {
				return err
			}
			continue
		}
		if err := readDescriptors(decoder, each); err != nil {
			return err
		}
	}
	return expect(decoder, '}')
}

func readDescriptors(decoder *json.Decoder, each func(Descriptor)) error {
	start, err := decoder.Token()
	if err != nil {
		return err
	}
	if start == nil { // Some write null for an empty list.
		return nil
	}
	if start != json.Delim('[') {
		return &answerError{cause: "sent a list of referrers that is no list"}
	}
	for decoder.More() {
		var d Descriptor
		err := decoder.Decode(&d)
		if errors.As(err, new(*json.UnmarshalTypeError)) {
			continue // The decoder has read past it.
		}
		if err != nil {
			return err
		}
		if image.ValidDigest(d.Digest) && d.Size >= 0 {
			each(d)
		}
	}
	return expect(decoder, ']')
}

func expect(decoder *json.Decoder, want json.Delim) error {
	got, err := decoder.Token()
	if err != nil {
		return err
	}
	if got != want {
		return &answerError{cause: fmt.Sprintf("sent a list of referrers that is no image index: it has %v for %v", got, want)}
	}
	return nil
}

// meter keeps a decoder from reading one value of any size into memory.
type meter struct {
	inner io.Reader
	total int64
	// consumed is where the decoder begins its present value.
	consumed func() int64
	// ended is set when the body came to its end, and was not broken off.
	ended bool
}

// Read fails where the decoder holds more than one value may have.
func (m *meter) Read(into []byte) (int, error) {
	if m.total-m.consumed() > maxDescriptor {
		return 0, tooLarge("entry in a list of referrers", maxDescriptor)
	}
	n, err := m.inner.Read(into)
	m.total += int64(n)
	m.ended = err == io.EOF
	return n, err
}
