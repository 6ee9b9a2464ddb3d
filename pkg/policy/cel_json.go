package policy

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// jsonVal returns a valid JSON value in the form that CEL expressions take. It behaves as the same text decoded into maps and
// slices does, but each object and array in it is read when an expression first looks into it: most of a Pod
// never is. It is not safe for concurrent use.
func jsonVal(value []byte) any {
	switch kindOf(value) {
	case '{':
		return &jsonMap{raw: value}
	case '[':
		return &jsonList{raw: value}
	case '"':
		return unquote(bytes.TrimSpace(value))
	case 't':
		return true
	case 'f':
		return false
	case 'n', 0:
		return nil
	}
	// Short natural numbers are the common case.
	if len(value) < 19 && value[0] != '-' {
		if number, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			return number
		}
	}
	return jsonDecoded(value)
}

// jsonDecoded decodes a value as the API server's machinery does: integers stay integers.
func jsonDecoded(value []byte) any {
	var decoded any
	if err := utiljson.Unmarshal(value, &decoded); err != nil {
		return types.NewErr("reading JSON: %v", err)
	}
	return decoded
}

// jsonMap is a JSON object.
type jsonMap struct {
	raw []byte
	// read is the object one level deep; nil before the first look.
	read traits.Mapper
	// decoded is all of the object; nil until somebody needs Go values.
	decoded traits.Mapper
}

func (m *jsonMap) level() traits.Mapper {
	if m.read == nil {
		entries := map[string]any{}
		for key, at := range members(m.raw) {
			entries[key] = jsonVal(m.raw[at.start:at.end])
		}
		m.read = types.NewStringInterfaceMap(types.DefaultTypeAdapter, entries)
	}
	return m.read
}

func (m *jsonMap) native() traits.Mapper {
	if m.decoded == nil {
		entries, _ := jsonDecoded(m.raw).(map[string]any)
		m.decoded = types.NewStringInterfaceMap(types.DefaultTypeAdapter, entries)
	}
	return m.decoded
}

// Contains implements traits.Container.
func (m *jsonMap) Contains(key ref.Val) ref.Val { return m.level().Contains(key) }

// Equal implements ref.Val.
func (m *jsonMap) Equal(other ref.Val) ref.Val { return m.level().Equal(other) }

// Find implements traits.Mapper.
func (m *jsonMap) Find(key ref.Val) (ref.Val, bool) { return m.level().Find(key) }

// Get implements traits.Indexer.
func (m *jsonMap) Get(key ref.Val) ref.Val { return m.level().Get(key) }

// IsZeroValue implements traits.Zeroer.
func (m *jsonMap) IsZeroValue() bool { return m.level().Size() == types.IntZero }

// Iterator implements traits.Iterable.
func (m *jsonMap) Iterator() traits.Iterator { return m.level().Iterator() }

// Size implements traits.Sizer.
func (m *jsonMap) Size() ref.Val { return m.level().Size() }

// Type implements ref.Val.
func (m *jsonMap) Type() ref.Type { return types.MapType }

// ConvertToType implements ref.Val.
func (m *jsonMap) ConvertToType(target ref.Type) ref.Val { return m.native().ConvertToType(target) }

// Value implements ref.Val.
func (m *jsonMap) Value() any { return m.native().Value() }

// String implements fmt.Stringer.
func (m *jsonMap) String() string { return fmt.Sprint(m.native()) }

// Fold implements traits.Foldable, which comprehensions of two variables use.
func (m *jsonMap) Fold(folder traits.Folder) { types.ToFoldableMap(m.level()).Fold(folder) }

// ConvertToNative implements ref.Val.
func (m *jsonMap) ConvertToNative(target reflect.Type) (any, error) {
	return m.native().ConvertToNative(target)
}

// jsonList is a JSON array.
type jsonList struct {
	raw []byte
	// read is the array one level deep; nil before the first look.
	read traits.Lister
	// decoded is all of the array; nil until somebody needs Go values.
	decoded traits.Lister
}

func (l *jsonList) level() traits.Lister {
	if l.read == nil {
		var entries []any
		for at := range elements(l.raw) {
			entries = append(entries, jsonVal(l.raw[at.start:at.end]))
		}
		l.read = types.NewDynamicList(types.DefaultTypeAdapter, entries)
	}
	return l.read
}

func (l *jsonList) native() traits.Lister {
	if l.decoded == nil {
		entries, _ := jsonDecoded(l.raw).([]any)
		l.decoded = types.NewDynamicList(types.DefaultTypeAdapter, entries)
	}
	return l.decoded
}

// Add implements traits.Adder.
func (l *jsonList) Add(other ref.Val) ref.Val { return l.level().Add(other) }

// Contains implements traits.Container.
func (l *jsonList) Contains(element ref.Val) ref.Val { return l.level().Contains(element) }

// Equal implements ref.Val.
func (l *jsonList) Equal(other ref.Val) ref.Val { return l.level().Equal(other) }

// Get implements traits.Indexer.
func (l *jsonList) Get(index ref.Val) ref.Val { return l.level().Get(index) }

// IsZeroValue implements traits.Zeroer.
func (l *jsonList) IsZeroValue() bool { return l.level().Size() == types.IntZero }

// Iterator implements traits.Iterable.
func (l *jsonList) Iterator() traits.Iterator { return l.level().Iterator() }

// Size implements traits.Sizer.
func (l *jsonList) Size() ref.Val { return l.level().Size() }

// Type implements ref.Val.
func (l *jsonList) Type() ref.Type { return types.ListType }

// ConvertToType implements ref.Val.
func (l *jsonList) ConvertToType(target ref.Type) ref.Val { return l.native().ConvertToType(target) }

// Value implements ref.Val.
func (l *jsonList) Value() any { return l.native().Value() }

// String implements fmt.Stringer.
func (l *jsonList) String() string { return fmt.Sprint(l.native()) }

// Fold implements traits.Foldable, which comprehensions of two variables use.
func (l *jsonList) Fold(folder traits.Folder) { types.ToFoldableList(l.level()).Fold(folder) }

// ConvertToNative implements ref.Val.
func (l *jsonList) ConvertToNative(target reflect.Type) (any, error) {
	return l.native().ConvertToNative(target)
}
