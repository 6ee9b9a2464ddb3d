package rawjson

import (
	"encoding/json"
	"errors"
)

// ErrNoObject is the error of a text that is JSON and no object.
var ErrNoObject = errors.New("reading JSON: an object is wanted")

// Pick returns the values of some keys of an object, in the order of the keys, as parts of its text; nil
// where a key is absent. The whole text is validated.
func Pick(object []byte, keys ...string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := each(object, func(key []byte, _, value, end int) {
		if i := index(keys, key); i >= 0 {
			values[i] = object[value:end:end]
		}
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Cut is Pick, and returns the object without those members besides: the object itself where it has none
// of them, else a copy.
func Cut(object []byte, keys ...string) (rest []byte, values [][]byte, err error) {
	values = make([][]byte, len(keys))
	rest = make([]byte, 1, 512)
	rest[0] = '{'
	found := false
	err = each(object, func(key []byte, member, value, end int) {
		if i := index(keys, key); i >= 0 {
			found = true
			values[i] = object[value:end:end]
			return
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(rest, object[member:end]...)
	})
	switch {
	case err != nil:
		return nil, nil, err
	case !found:
		return object, values, nil
	}
	return append(rest, '}'), values, nil
}

// each shows every member of an object, with its key decoded.
func each(object []byte, visit func(key []byte, member, value, end int)) error {
	s := scanner{text: object}
	if s.space() != '{' {
		if err := s.value(0); err != nil {
			return err
		}
		if err := s.end(); err != nil {
			return err
		}
		return ErrNoObject
	}
	err := s.object(0, func(key []byte, escaped bool, member, value, end int) {
		if escaped {
			var text string
			// The scanner has seen that it is a string of JSON.
			_ = json.Unmarshal(object[member:member+len(key)+2], &text)
			key = []byte(text)
		}
		visit(key, member, value, end)
	})
	if err != nil {
		return err
	}
	return s.end()
}

func index(keys []string, key []byte) int {
	for i, want := range keys {
		if want == string(key) {
			return i
		}
	}
	return -1
}
