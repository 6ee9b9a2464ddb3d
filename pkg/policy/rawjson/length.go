package rawjson

// Length returns the number of elements of a list without decoding them; 0 for what is JSON and no list. The whole
// text is validated.
func Length(list []byte) (int, error) {
	s := &scanner{text: list}
	if s.space() != '[' {
		if err := s.value(0); err != nil {
			return 0, err
		}
		return 0, s.end()
	}
	s.pos++
	if s.space() == ']' {
		s.pos++
		return 0, s.end()
	}
	for count := 1; ; count++ {
		if err := s.value(1); err != nil {
			return 0, err
		}
		switch s.space() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			if err := s.end(); err != nil {
				return 0, err
			}
			return count, nil
		default:
			return 0, s.fail("a comma or the end of the list")
		}
	}
}
