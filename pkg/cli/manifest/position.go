package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// segment is one step of a field path: a key of a mapping or an index of a list.
type segment struct {
	key   string
	index int
	list  bool
}

// segments takes a field path apart: "spec.containers[0].image", `metadata.labels["app.example.com/name"]`.
func segments(field string) []segment {
	var path []segment
	for field != "" {
		switch field[0] {
		case '.':
			field = field[1:]
		case '[':
			inner, rest, closed := strings.Cut(field[1:], "]")
			if strings.HasPrefix(inner, `"`) {
				// A quoted key may hold a bracket.
				inner, rest, closed = strings.Cut(field[2:], `"]`)
				path = append(path, segment{key: inner})
			} else if index, err := strconv.Atoi(inner); err == nil {
				path = append(path, segment{key: inner, index: index, list: true})
			} else {
				path = append(path, segment{key: inner})
			}
			if !closed {
				return path
			}
			field = rest
		default:
			end := strings.IndexAny(field, ".[")
			if end < 0 {
				end = len(field)
			}
			path = append(path, segment{key: field[:end]})
			field = field[end:]
		}
	}
	return path
}

// locate returns the node to show for a field: the key of a mapping's member, the item of a list; of a field that
// does not exist, that of the nearest parent.
func locate(root *yaml.Node, field string) *yaml.Node {
	shown, value := root, root
	path := segments(field)
	for len(path) > 0 {
		key, next, used := step(resolve(value), path)
		if next == nil {
			return shown
		}
		shown, value, path = key, next, path[used:]
	}
	return shown
}

// step goes one segment down; or several, where a key has dots in it.
func step(value *yaml.Node, path []segment) (shown, next *yaml.Node, used int) {
	switch value.Kind {
	case yaml.SequenceNode:
		if first := path[0]; first.list && first.index >= 0 && first.index < len(value.Content) {
			return value.Content[first.index], value.Content[first.index], 1
		}
	case yaml.MappingNode:
		name := ""
		for i, part := range path {
			if i > 0 {
				name += "."
			}
			name += part.key
			if key, member := find(value, name); member != nil {
				return key, member, i + 1
			}
		}
	}
	return nil, nil, 0
}

// find returns a member of a mapping; an own key goes before those that are merged in with "<<".
func find(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	return findOnce(mapping, name, map[*yaml.Node]bool{})
}

// findOnce looks into every mapping once: merge keys may lead to the same one on very many ways, or in a circle.
func findOnce(mapping *yaml.Node, name string, seen map[*yaml.Node]bool) (key, value *yaml.Node) {
	if seen[mapping] {
		return nil, nil
	}
	seen[mapping] = true
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name && mapping.Content[i].Tag != mergeTag {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Tag != mergeTag {
			continue
		}
		sources := []*yaml.Node{resolve(mapping.Content[i+1])}
		if sources[0].Kind == yaml.SequenceNode {
			sources = sources[0].Content
		}
		for _, source := range sources {
			if source = resolve(source); source.Kind != yaml.MappingNode {
				continue
			}
			if key, value := findOnce(source, name, seen); value != nil {
				return key, value
			}
		}
	}
	return nil, nil
}

// mergeTag is how the parser marks the key "<<".
const mergeTag = "!!merge"

// resolve follows an alias to what its anchor holds.
func resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode && node.Alias != nil {
		node = node.Alias
	}
	return node
}
