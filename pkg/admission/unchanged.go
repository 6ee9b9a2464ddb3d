package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// sameJSON compares two JSON values by meaning: the order of keys does not count.
func sameJSON(a, b []byte) bool {
	var left, right any
	if decodeExact(a, &left) != nil || decodeExact(b, &right) != nil {
		return false
	}
	return reflect.DeepEqual(left, right)
}

// sameMember tells whether a member of two objects has the same meaning.
func sameMember(object, old []byte, member string) (bool, error) {
	var now, before map[string]any
	if err := utiljson.Unmarshal(object, &now); err != nil {
		return false, fmt.Errorf("reading the object: %w", err)
	}
	if err := utiljson.Unmarshal(old, &before); err != nil {
		return false, fmt.Errorf("reading the former state: %w", err)
	}
	return reflect.DeepEqual(now[member], before[member]), nil
}

// decodeExact decodes JSON and keeps numbers as they are written.
func decodeExact(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return decoder.Decode(into)
}
