package rawjson

import "fmt"

// maxDepth is how deep values may nest: the limit of package encoding/json.
const maxDepth = 10000

// scanner walks over a JSON text.
type scanner struct {
	text []byte
	pos  int
}

// fail says what stands where something else should.
func (s *scanner) fail(want string) error {
	if s.pos >= len(s.text) {
		return fmt.Errorf("reading JSON: the text ends where %s should stand", want)
	}
	return fmt.Errorf("reading JSON: %q at byte %d, where %s should stand", s.text[s.pos], s.pos, want)
}

// space skips white space and returns the byte behind it, 0 at the end.
func (s *scanner) space() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\n', '\t', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end fails where anything but white space follows.
func (s *scanner) end() error {
	if s.space(); s.pos < len(s.text) {
		return s.fail("the end")
	}
	return nil
}

// value passes one value.
func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("reading JSON: values nest deeper than %d", maxDepth)
	}
	switch c := s.space(); c {
	case '{':
		return s.object(depth, nil)
	case '[':
		return s.array(depth)
	case '"':
		_, err := s.str()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// object passes an object that begins here. It shows each member to visit, if there is one: the key
// without its quotes, and the places where the member and its value begin and end.
func (s *scanner) object(depth int, visit func(key []byte, escaped bool, member, value, end int)) error {
	s.pos++
	if s.space() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.space() != '"' {
			return s.fail("a key")
		}
		member := s.pos
		escaped, err := s.str()
		if err != nil {
			return err
		}
		key := s.text[member+1 : s.pos-1]
		if s.space() != ':' {
			return s.fail("a colon")
		}
		s.pos++
		s.space()
		value := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if visit != nil {
			visit(key, escaped, member, value, s.pos)
		}
		switch s.space() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("a comma or the end of the object")
		}
	}
}

func (s *scanner) array(depth int) error {
	s.pos++
	if s.space() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		switch s.space() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.fail("a comma or the end of the list")
		}
	}
}

// str passes a string that begins here and tells whether it has escapes.
func (s *scanner) str() (escaped bool, err error) {
	text := s.text
	for i := s.pos + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			s.pos = i + 1
			return escaped, nil
		case c == '\\':
			escaped = true
			n := escape(text[i:])
			if n == 0 {
				s.pos = i
				return escaped, s.fail("an escape of JSON")
			}
			i += n - 1
		case c < ' ':
			s.pos = i
			return escaped, s.fail("a printable character")
		}
	}
	s.pos = len(text)
	return escaped, s.fail("the end of a string")
}

// escape returns the length of the escape that a text begins with, 0 if it is none.
func escape(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) < 6 {
			return 0
		}
		for _, c := range text[2:6] {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}

func (s *scanner) word(word string) error {
	for i := range len(word) {
		if s.pos >= len(s.text) || s.text[s.pos] != word[i] {
			return s.fail("the word " + word)
		}
		s.pos++
	}
	return nil
}

// number passes [-] (0 | 1-9 digits) [. digits] [e [+-] digits].
func (s *scanner) number() error {
	if s.at('-') {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if !s.digits() {
		return s.fail("a value")
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return s.fail("a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return s.fail("a digit")
		}
	}
	return nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.text) && s.text[s.pos] == c }

// digits passes all digits from here and tells whether there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}
