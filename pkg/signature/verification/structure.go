package verification

import (
	"bytes"
	"errors"
	"fmt"
)

const (
	// maxElements of the JSON of a bundle or an envelope, and maxListed of a manifest's: how many objects, lists and
	// elements of them it may have. Bundles have a hundred, and ten for each layer of a manifest are enough.
	maxElements = 10_000
	maxListed   = 20_000
	// maxNesting is how deep they may nest.
	maxNesting = 100
)

// errStructure says that JSON has too many elements, or too deep ones, to be decoded.
var errStructure = errors.New("it has more structure than any tool writes")

// checkStructure bounds what a decoder makes of a stranger's JSON: `{},{},…` takes a hundred times its size once it is
// decoded. It allocates nothing, and does not tell whether the text is JSON.
func checkStructure(raw []byte, most int) error {
	elements, depth := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i+1)
			continue
		case '{', '[':
			elements++
			depth++
		case ',':
			elements++
		case '}', ']':
			depth--
		default:
			continue
		}
		if elements > most || depth > maxNesting {
			return fmt.Errorf("%w: more than %d elements, or nested deeper than %d", errStructure, most, maxNesting)
		}
	}
	return nil
}

// endOfString returns where the quotation mark stands that ends a string, which begins at from; the end of the text if
// nothing ends it.
func endOfString(raw []byte, from int) int {
	for at := from; ; at++ {
		next := bytes.IndexByte(raw[at:], '"')
		if next < 0 {
			return len(raw)
		}
		at += next
		escapes := 0
		for at-escapes > from && raw[at-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}
