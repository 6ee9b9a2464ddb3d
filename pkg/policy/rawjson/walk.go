package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Span is a half-open range of bytes of a text.
type Span struct{ Start, End int }

// The functions of this file find their way through JSON that was validated before; of other text they may
// return anything, but they end and do not panic.

// Kind returns the first byte of a value, which tells its type: one of {["tfn, a digit or a minus; 0 for none.
func Kind(value []byte) byte {
	if i := skipSpace(value, 0); i < len(value) {
		return value[i]
	}
	return 0
}

// Members iterates over the keys of an object and where their values stand.
func Members(object []byte) iter.Seq2[string, Span] {
	return func(yield func(string, Span) bool) {
		for i := skipSpace(object, 0) + 1; ; i++ {
			i = skipSpace(object, i)
			if i >= len(object) || object[i] != '"' {
				return
			}
			end := skipValue(object, i)
			key := Text(object[i:end])
			i = skipSpace(object, end)
			if i >= len(object) || object[i] != ':' {
				return
			}
			start := skipSpace(object, i+1)
			i = skipValue(object, start)
			if !yield(key, Span{start, i}) {
				return
			}
			if i = skipSpace(object, i); i >= len(object) || object[i] != ',' {
				return
			}
		}
	}
}

// Elements iterates over the places of an array's values.
func Elements(array []byte) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for i := skipSpace(array, 0) + 1; ; i++ {
			start := skipSpace(array, i)
			if start >= len(array) || array[start] == ']' {
				return
			}
			i = skipValue(array, start)
			if !yield(Span{start, i}) {
				return
			}
			if i = skipSpace(array, i); i >= len(array) || array[i] != ',' {
				return
			}
		}
	}
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the position behind the value that begins at i.
func skipValue(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			i++
			continue
		default:
			for i < len(text) && !bytes.ContainsRune([]byte(",]}: \n\t\r"), rune(text[i])) {
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return i
}

// skipString returns the position behind the string that begins at i.
func skipString(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// Text reads a string literal as package json does.
func Text(literal []byte) string {
	if len(literal) >= 2 && bytes.IndexByte(literal, '\\') < 0 && isPlain(literal) {
		return string(literal[1 : len(literal)-1])
	}
	var text string
	if err := json.Unmarshal(literal, &text); err != nil {
		return ""
	}
	return text
}

// isPlain tells whether a literal holds ASCII only, so that no invalid UTF-8 is to be replaced.
func isPlain(literal []byte) bool {
	for _, c := range literal {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
