package rawjson

import "fmt"

// Validate fails where a text is no JSON or its values nest deeper than depth.
func Validate(text []byte, depth int) error {
	if deeper(text, depth) {
		return fmt.Errorf("reading JSON: values nest deeper than %d", depth)
	}
	s := scanner{text: text}
	if err := s.value(0); err != nil {
		return err
	}
	return s.end()
}

// deeper tells whether more than depth brackets are open at some place.
func deeper(text []byte, depth int) bool {
	open := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = skipString(text, i) - 1
		case '{', '[':
			if open++; open > depth {
				return true
			}
		case '}', ']':
			open--
		}
	}
	return false
}
