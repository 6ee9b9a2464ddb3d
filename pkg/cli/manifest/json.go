package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep JSON may be nested; that of encoding/json, which its token reader does not enforce.
const maxDepth = 10000

// looksLikeJSON tells whether content begins as a JSON object or list.
func looksLikeJSON(content []byte) bool {
	content = bytes.TrimLeft(content, " \t\r\n")
	return len(content) > 0 && (content[0] == '{' || content[0] == '[')
}

// parseJSON reads the values that a file holds one after the other.
func parseJSON(content []byte) ([]*document, *Problem) {
	r := &jsonReader{content: content, decoder: json.NewDecoder(bytes.NewReader(content))}
	r.decoder.UseNumber()
	for i, c := range content {
		if c == '\n' {
			r.newlines = append(r.newlines, i)
		}
	}
	var documents []*document
	for {
		start := r.next()
		root, err := r.value(0)
		if errors.Is(err, io.EOF) && start == len(content) {
			return documents, nil
		}
		if err != nil {
			return nil, r.problem(err)
		}
		documents = append(documents, &document{json: content[start:r.decoder.InputOffset()], root: root})
	}
}

// jsonReader builds the tree of a JSON text out of its tokens, so that their places are known.
type jsonReader struct {
	content  []byte
	decoder  *json.Decoder
	newlines []int
}

// misplaced is an error that has a place.
type misplaced struct {
	at      int
	message string
}

func (m *misplaced) Error() string { return m.message }

// next returns the offset of the token that is read next.
func (r *jsonReader) next() int {
	at := int(r.decoder.InputOffset())
	for at < len(r.content) && bytes.IndexByte([]byte(" \t\r\n,:"), r.content[at]) >= 0 {
		at++
	}
	return at
}

// node makes a node that stands at an offset.
func (r *jsonReader) node(kind yaml.Kind, at int) *yaml.Node {
	line, column := r.place(at)
	return &yaml.Node{Kind: kind, Line: line, Column: column}
}

// place returns the line and column of an offset, in characters as YAML counts them.
func (r *jsonReader) place(at int) (line, column int) {
	line = sort.SearchInts(r.newlines, at)
	begin := 0
	if line > 0 {
		begin = r.newlines[line-1] + 1
	}
	return line + 1, utf8.RuneCount(r.content[begin:at]) + 1
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	at := r.next()
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, &misplaced{at: at, message: "is nested too deeply"}
	}
	switch token {
	case json.Delim('{'):
		return r.members(r.node(yaml.MappingNode, at), depth)
	case json.Delim('['):
		node := r.node(yaml.SequenceNode, at)
		for r.decoder.More() {
			item, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, item)
		}
		_, err := r.decoder.Token()
		return node, err
	}
	node := r.node(yaml.ScalarNode, at)
	node.Value = fmt.Sprint(token)
	return node, nil
}

// members reads the rest of an object.
func (r *jsonReader) members(node *yaml.Node, depth int) (*yaml.Node, error) {
	seen := map[string]int{}
	for r.decoder.More() {
		at := r.next()
		token, err := r.decoder.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, &misplaced{at: at, message: "a key must be a string"}
		}
		key := r.node(yaml.ScalarNode, at)
		key.Value = name
		if first, found := seen[name]; found {
			return nil, &misplaced{at: at, message: fmt.Sprintf("key %q stands twice, first on line %d: remove one of the two", name, first)}
		}
		seen[name] = key.Line
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, key, value)
	}
	_, err := r.decoder.Token()
	return node, err
}

func (r *jsonReader) problem(err error) *Problem {
	at, message := int(r.decoder.InputOffset()), "is no valid JSON: "+err.Error()
	var place *misplaced
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &place):
		at, message = place.at, place.message
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		at, message = len(r.content), "is no valid JSON: ends too early"
	case errors.As(err, &syntax):
		// The offset is that after the wrong byte; of token errors it is relative to what was buffered.
		at = min(max(int(syntax.Offset)-1, at), len(r.content))
	}
	line, column := r.place(min(at, len(r.content)))
	return &Problem{Line: line, Column: column, Message: message}
}
