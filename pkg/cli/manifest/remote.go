package manifest

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// references are the fields of kustomizations and of the configurations of their plugins that name files or bases.
func references() []string {
	return []string{
		"bases", "components", "configurations", "crds", "env", "envs", "file", "files", "generators", "openapi",
		"patches", "patchesJson6902", "patchesStrategicMerge", "path", "paths", "replacements", "resources", "transformers", "validators",
	}
}

// freeText are the fields whose members a user names.
func freeText() []string {
	return []string{"annotations", "commonAnnotations", "commonLabels", "labels", "literals"}
}

// remoteReference returns the first remote reference of a file that configures kustomize, empty where there is none.
func remoteReference(path string, content []byte) string {
	reference := ""
	// A chunk that cannot be read is left to kustomize to complain about.
	_ = splitYAML(content, func(chunk []byte, _ int) *Problem {
		if reference == "" {
			reference = remoteInText(chunk, isKustomization(path), maxReferences)
		}
		return nil
	})
	return reference
}

// maxReferences bounds how deep texts in texts are searched.
const maxReferences = 4

// remoteInText searches one YAML document; only what configures kustomize, unless it is known to.
func remoteInText(text []byte, configures bool, depth int) string {
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil || len(root.Content) == 0 {
		return ""
	}
	_, version := find(resolve(root.Content[0]), "apiVersion")
	if version != nil && (version.Value == "builtin" || strings.HasPrefix(version.Value, "kustomize.config.k8s.io/")) {
		configures = true
	}
	if !configures {
		return ""
	}
	return (&search{depth: depth, seen: map[place]bool{}}).in(root.Content[0], false)
}

// place is a node, and whether it is below a field that names files or bases.
type place struct {
	node  *yaml.Node
	named bool
}

// search goes through a document, once through what aliases lead to on many ways.
type search struct {
	// depth that texts in texts may still have.
	depth int
	seen  map[place]bool
}

// in searches a tree; named tells whether it is below a field that names files or bases.
func (s *search) in(node *yaml.Node, named bool) string {
	node = resolve(node)
	if s.seen[place{node, named}] {
		return ""
	}
	s.seen[place{node, named}] = true
	switch node.Kind {
	case yaml.ScalarNode:
		switch {
		case !named:
		case strings.Contains(node.Value, "\n") && s.depth > 0:
			// Plugins may be configured in place.
			return remoteInText([]byte(node.Value), false, s.depth-1)
		case isRemote(node.Value):
			return node.Value
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if slices.Contains(freeText(), name) {
				continue
			}
			if found := s.in(node.Content[i+1], named || slices.Contains(references(), name)); found != "" {
				return found
			}
		}
	default:
		for _, child := range node.Content {
			if found := s.in(child, named); found != "" {
				return found
			}
		}
	}
	return ""
}

// remote matches all that sigs.k8s.io/kustomize/api/internal/git takes for a repository and its loader for a URL,
// also behind the "KEY=" of a generator's file.
var remote = regexp.MustCompile(`(?i)^([^=\s]+=)?(git::|[a-z][a-z0-9+.-]*://|[a-z][a-z0-9-]*@[^/\s]+[:/]|github\.com[:/])`)

func isRemote(reference string) bool { return remote.MatchString(strings.TrimSpace(reference)) }
