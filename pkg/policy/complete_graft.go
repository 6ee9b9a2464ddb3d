package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// growth is a tree of fields that are to be added to a JSON document, by key or by index.
type growth struct {
	children map[string]*growth
	// value of a leaf.
	value any
}

// want asks for a value at a path, unless the document has one there.
func (g *growth) want(value any, path ...string) {
	for _, step := range path {
		if g.children == nil {
			g.children = map[string]*growth{}
		}
		child := g.children[step]
		if child == nil {
			child = &growth{}
			g.children[step] = child
		}
		g = child
	}
	g.value = value
}

// whole is the value of a branch whose place in the document is empty.
func (g *growth) whole() any {
	if g.children == nil {
		return g.value
	}
	object := make(map[string]any, len(g.children))
	for key, child := range g.children {
		object[key] = child.whole()
	}
	return object
}

// graft adds the tree to a valid JSON document. Everything else in it stays byte for byte as it is.
func (g *growth) graft(document []byte) ([]byte, []Addition) {
	var additions []Addition
	return g.graftAt(document, "", &additions), additions
}

func (g *growth) graftAt(document []byte, pointer string, additions *[]Addition) []byte {
	switch rawjson.Kind(document) {
	case '{':
		return g.graftObject(document, pointer, additions)
	case '[':
		return g.graftArray(document, pointer, additions)
	}
	return document
}

func (g *growth) graftObject(object []byte, pointer string, additions *[]Addition) []byte {
	type edit struct {
		start, end int
		text       []byte
	}
	var edits []edit
	present := map[string]rawjson.Span{}
	last := -1
	for key, at := range rawjson.Members(object) {
		last = at.End
		if _, asked := g.children[key]; asked {
			// Of a key that stands there twice the last one counts.
			present[key] = at
		}
	}
	var tail bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(g.children)) {
		child, place := g.children[key], pointer+"/"+escapePointer(key)
		at, found := present[key]
		if found && rawjson.Kind(object[at.Start:at.End]) != 'n' {
			if child.children != nil {
				edits = append(edits, edit{at.Start, at.End, child.graftAt(object[at.Start:at.End], place, additions)})
			}
			continue
		}
		value := child.whole()
		text, err := json.Marshal(value)
		if err != nil {
			continue // Defaults went through JSON when they were compiled.
		}
		*additions = append(*additions, Addition{Pointer: place, Value: value})
		if found {
			edits = append(edits, edit{at.Start, at.End, text})
			continue
		}
		if last >= 0 || tail.Len() > 0 {
			tail.WriteByte(',')
		}
		name, _ := json.Marshal(key)
		tail.Write(name)
		tail.WriteByte(':')
		tail.Write(text)
	}
	if tail.Len() > 0 {
		end := bytes.LastIndexByte(object, '}')
		edits = append(edits, edit{end, end, tail.Bytes()})
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	var result []byte
	from := 0
	for _, e := range edits {
		result = append(append(result, object[from:e.start]...), e.text...)
		from = e.end
	}
	return append(result, object[from:]...)
}

func (g *growth) graftArray(array []byte, pointer string, additions *[]Addition) []byte {
	var result []byte
	from, index := 0, 0
	for at := range rawjson.Elements(array) {
		step := strconv.Itoa(index)
		if child := g.children[step]; child != nil {
			grown := child.graftAt(array[at.Start:at.End], pointer+"/"+step, additions)
			result = append(append(result, array[from:at.Start]...), grown...)
			from = at.End
		}
		index++
	}
	return append(result, array[from:]...)
}

// replaceAt puts a value in the place of the one at a path of field names joined by dots. An empty path is the
// document itself.
func replaceAt(document []byte, path string, value []byte) []byte {
	if path == "" || len(document) == 0 {
		if path == "" {
			return value
		}
		return document
	}
	field, rest, _ := strings.Cut(path, ".")
	var place rawjson.Span
	for key, at := range rawjson.Members(document) {
		if key == field {
			place = at
		}
	}
	if place.End == 0 {
		return document
	}
	return slices.Concat(document[:place.Start], replaceAt(document[place.Start:place.End], rest, value), document[place.End:])
}

// escapePointer writes a key as a step of a JSON pointer (RFC 6901, section 3).
func escapePointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
