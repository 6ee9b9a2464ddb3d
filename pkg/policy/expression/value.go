package expression

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// Value returns a valid JSON value in the form that CEL expressions take. It behaves as the same text decoded into maps and
// slices does, but each object and array in it is read when an expression first looks into it: most of a Pod
// never is. It is not safe for concurrent use.
func Value(value []byte) any {
	switch rawjson.Kind(value) {
	case '{':
		return &object{raw: value}
	case '[':
		return &list{raw: value}
	case '"':
		return rawjson.Text(bytes.TrimSpace(value))
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

// object is a JSON object.
type object struct {
	raw []byte
	// read is the object one level deep; nil before the first look.
	read traits.Mapper
	// decoded is all of the object; nil until somebody needs Go values.
	decoded traits.Mapper
}

func (m *object) level() traits.Mapper {
	if m.read == nil {
		entries := map[string]any{}
		for key, at := range rawjson.Members(m.raw) {
			entries[key] = Value(m.raw[at.Start:at.End])
		}
		m.read = types.NewStringInterfaceMap(types.DefaultTypeAdapter, entries)
	}
	return m.read
}

func (m *object) native() traits.Mapper {
	if m.decoded == nil {
		entries, _ := jsonDecoded(m.raw).(map[string]any)
		m.decoded = types.NewStringInterfaceMap(types.DefaultTypeAdapter, entries)
	}
	return m.decoded
}

// Contains implements traits.Container.
func (m *object) Contains(key ref.Val) ref.Val { return m.level().Contains(key) }

// Equal implements ref.Val.
func (m *object) Equal(other ref.Val) ref.Val { return m.level().Equal(other) }

// Find implements traits.Mapper.
func (m *object) Find(key ref.Val) (ref.Val, bool) { return m.level().Find(key) }

// Get implements traits.Indexer.
func (m *object) Get(key ref.Val) ref.Val { return m.level().Get(key) }

// IsZeroValue implements traits.Zeroer.
func (m *object) IsZeroValue() bool { return m.level().Size() == types.IntZero }

// Iterator implements traits.Iterable.
func (m *object) Iterator() traits.Iterator { return m.level().Iterator() }

// Size implements traits.Sizer.
func (m *object) Size() ref.Val { return m.level().Size() }

// Type implements ref.Val.
func (m *object) Type() ref.Type { return types.MapType }

// ConvertToType implements ref.Val.
func (m *object) ConvertToType(target ref.Type) ref.Val { return m.native().ConvertToType(target) }

// Value implements ref.Val.
func (m *object) Value() any { return m.native().Value() }

// String implements fmt.Stringer.
func (m *object) String() string { return fmt.Sprint(m.native()) }

// Fold implements traits.Foldable, which comprehensions of two variables use.
func (m *object) Fold(folder traits.Folder) { types.ToFoldableMap(m.level()).Fold(folder) }

// ConvertToNative implements ref.Val.
func (m *object) ConvertToNative(target reflect.Type) (any, error) {
	return m.native().ConvertToNative(target)
}

// list is a JSON array.
type list struct {
	raw []byte
	// read is the array one level deep; nil before the first look.
	read traits.Lister
	// decoded is all of the array; nil until somebody needs Go values.
	decoded traits.Lister
}

func (l *list) level() traits.Lister {
	if l.read == nil {
		var entries []any
		for at := range rawjson.Elements(l.raw) {
			entries = append(entries, Value(l.raw[at.Start:at.End]))
		}
		l.read = types.NewDynamicList(types.DefaultTypeAdapter, entries)
	}
	return l.read
}

func (l *list) native() traits.Lister {
	if l.decoded == nil {
		entries, _ := jsonDecoded(l.raw).([]any)
		l.decoded = types.NewDynamicList(types.DefaultTypeAdapter, entries)
	}
	return l.decoded
}

// Add implements traits.Adder.
func (l *list) Add(other ref.Val) ref.Val { return l.level().Add(other) }

// Contains implements traits.Container.
func (l *list) Contains(element ref.Val) ref.Val { return l.level().Contains(element) }

// Equal implements ref.Val.
func (l *list) Equal(other ref.Val) ref.Val { return l.level().Equal(other) }

// Get implements traits.Indexer.
func (l *list) Get(index ref.Val) ref.Val { return l.level().Get(index) }

// IsZeroValue implements traits.Zeroer.
func (l *list) IsZeroValue() bool { return l.level().Size() == types.IntZero }

// Iterator implements traits.Iterable.
func (l *list) Iterator() traits.Iterator { return l.level().Iterator() }

// Size implements traits.Sizer.
func (l *list) Size() ref.Val { return l.level().Size() }

// Type implements ref.Val.
func (l *list) Type() ref.Type { return types.ListType }

// ConvertToType implements ref.Val.
func (l *list) ConvertToType(target ref.Type) ref.Val { return l.native().ConvertToType(target) }

// Value implements ref.Val.
func (l *list) Value() any { return l.native().Value() }

// String implements fmt.Stringer.
func (l *list) String() string { return fmt.Sprint(l.native()) }

// Fold implements traits.Foldable, which comprehensions of two variables use.
func (l *list) Fold(folder traits.Folder) { types.ToFoldableList(l.level()).Fold(folder) }

// ConvertToNative implements ref.Val.
func (l *list) ConvertToNative(target reflect.Type) (any, error) {
	return l.native().ConvertToNative(target)
}
