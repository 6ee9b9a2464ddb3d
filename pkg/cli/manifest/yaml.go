package manifest

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// document is one YAML document or JSON value of a file.
type document struct {
	json []byte
	root *yaml.Node
	// offset is added to the lines of the nodes.
	offset int
}

// separator stands at the beginning of the lines between documents.
const separator = "---"

// splitYAML cuts a file at its separator lines, as k8s.io/apimachinery/pkg/util/yaml.YAMLReader does for kubectl, and
// calls do with each chunk and the number of lines before it.
func splitYAML(content []byte, do func(chunk []byte, offset int) *Problem) *Problem {
	start, offset, line := 0, 0, 0
	for at := 0; at < len(content); {
		end := len(content)
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if rest, found := bytes.CutPrefix(content[at:end], []byte(separator)); found {
			if rest = bytes.TrimSpace(rest); len(rest) > 0 && rest[0] != '#' {
				return &Problem{Line: line + 1, Column: len(separator) + 1, Message: "only a comment may follow a document separator (---)"}
			}
			if problem := do(content[start:at], offset); problem != nil {
				return problem
			}
			start, offset = end, line+1
		}
		at = end
		line++
	}
	return do(content[start:], offset)
}

// parseYAML reads one chunk; nil where it holds comments only.
func parseYAML(chunk []byte, offset int) (*document, *Problem) {
	var root yaml.Node
	if err := yaml.Unmarshal(chunk, &root); err != nil {
		return nil, yamlProblem(err, chunk, offset)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) == 0 || isNull(root.Content[0]) {
		return nil, nil
	}
	d := &document{root: root.Content[0], offset: offset}
	if problem := twice(d.root, offset); problem != nil {
		return nil, problem
	}
	// Keys that stand twice were found above. Strict reading takes one that overrides a merged one for such.
	convert := sigsyaml.YAMLToJSONStrict
	if merges(d.root) {
		convert = func(chunk []byte) ([]byte, error) { return sigsyaml.YAMLToJSON(chunk) }
	}
	json, err := convert(chunk)
	if err != nil {
		return nil, yamlProblem(err, chunk, offset)
	}
	d.json = json
	return d, nil
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// twice finds a key that stands twice in a mapping; kubectl and the API server would take one of the two.
func twice(node *yaml.Node, offset int) *Problem {
	if node.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == mergeTag {
				continue
			}
			if first, found := seen[key.Value]; found {
				return &Problem{Line: key.Line + offset, Column: key.Column,
					Message: fmt.Sprintf("key %q stands twice, first on line %d: remove one of the two", key.Value, first+offset)}
			}
			seen[key.Value] = key.Line
		}
	}
	// The content of an alias is elsewhere in the tree.
	for _, child := range node.Content {
		if problem := twice(child, offset); problem != nil {
			return problem
		}
	}
	return nil
}

// merges tells whether a merge key ("<<") stands in a tree.
func merges(node *yaml.Node) bool {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if node.Content[i].Tag == mergeTag {
				return true
			}
		}
	}
	return slices.ContainsFunc(node.Content, merges)
}

// lineOf is how both YAML libraries name a line.
var lineOf = regexp.MustCompile(`line (\d+): `)

// yamlProblem gives a parser's error its place in the file.
func yamlProblem(err error, chunk []byte, offset int) *Problem {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
	text = strings.TrimSpace(strings.TrimPrefix(text, "unmarshal errors:"))
	text, _, _ = strings.Cut(text, "\n")
	problem := &Problem{Line: offset + 1, Message: "is no valid YAML: " + text}
	match := lineOf.FindStringSubmatchIndex(text)
	if match == nil {
		return problem
	}
	line, convErr := strconv.Atoi(text[match[2]:match[3]])
	if convErr != nil {
		return problem
	}
	problem.Line = line + offset
	problem.Message = "is no valid YAML: " + text[:match[0]] + text[match[1]:]
	// The parser speaks of a character that cannot start any token, and may name the line before.
	for _, at := range []int{line, line + 1} {
		if column := tabIn(chunk, at); column > 0 {
			return &Problem{Line: at + offset, Column: column, Message: "a tab cannot indent YAML: use spaces"}
		}
	}
	return problem
}

// tabIn returns the column of a tab in the indentation of a line, 0 where there is none.
func tabIn(chunk []byte, line int) int {
	lines := bytes.Split(chunk, []byte("\n"))
	if line < 1 || line > len(lines) {
		return 0
	}
	for i, c := range lines[line-1] {
		switch c {
		case '\t':
			return i + 1
		case ' ':
		default:
			return 0
		}
	}
	return 0
}
