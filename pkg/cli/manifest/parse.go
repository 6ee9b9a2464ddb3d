package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// maxBytes of one file. An API server refuses objects of more than 3 MiB, so this is many of them.
const maxBytes = 64 << 20

// maxLists is how deep lists may hold lists.
const maxLists = 8

// Parse reads the objects of one file. The name is only for messages and extensions. Objects that stand before a problem are
// returned beside it.
func Parse(name string, content []byte) ([]*Object, *Problem) {
	objects, problem := parse(name, content)
	if problem != nil {
		problem.File = name
	}
	return objects, problem
}

func parse(name string, content []byte) ([]*Object, *Problem) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	switch {
	case len(content) > maxBytes:
		return nil, &Problem{Message: fmt.Sprintf("is larger than %d MiB", maxBytes>>20)}
	case bytes.IndexByte(content, 0) >= 0 || !utf8.Valid(content):
		return nil, &Problem{Message: "is no text in UTF-8, so it holds no manifest"}
	}
	var objects []*Object
	add := func(d *document) *Problem {
		found, problem := expand(name, d.json, d.root, d.offset, "", maxLists)
		objects = append(objects, found...)
		return problem
	}
	if looksLikeJSON(content) {
		documents, problem := parseJSON(content)
		if problem == nil {
			for _, d := range documents {
				if problem := add(d); problem != nil {
					return objects, problem
				}
			}
			return objects, nil
		}
		// YAML in flow style begins likewise.
		if strings.EqualFold(filepath.Ext(name), ".json") {
			return nil, problem
		}
	}
	problem := splitYAML(content, func(chunk []byte, offset int) *Problem {
		d, problem := parseYAML(chunk, offset)
		if d == nil || problem != nil {
			return problem
		}
		return add(d)
	})
	return objects, problem
}

// head is what every object has.
type head struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        struct {
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
		Namespace    string `json:"namespace"`
	} `json:"metadata"`
	Items *[]json.RawMessage `json:"items"`
}

// expand returns an object, or those that a list holds. Items of a list like DeploymentList may leave out their
// apiVersion and kind.
func expand(file string, raw []byte, root *yaml.Node, offset int, defaults string, depth int) ([]*Object, *Problem) {
	root = resolve(root)
	at := func(field, message string) *Problem {
		node := locate(root, field)
		return &Problem{Line: node.Line + offset, Column: node.Column, Message: message}
	}
	if root.Kind != yaml.MappingNode {
		return nil, at("", "is no Kubernetes object: apiVersion and kind are missing")
	}
	var h head
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, at(fieldOf(err), "is no Kubernetes object: "+wording(err))
	}
	if apiVersion, kind, found := strings.Cut(defaults, " "); found && h.Kind == "" && h.APIVersion == "" {
		h.APIVersion, h.Kind = apiVersion, kind
		raw = withType(raw, h.TypeMeta)
	}
	switch {
	case h.APIVersion == "":
		return nil, at("", "is no Kubernetes object: apiVersion is missing")
	case h.Kind == "":
		return nil, at("", "is no Kubernetes object: kind is missing")
	}
	var long *rawjson.ExponentError
	if errors.As(rawjson.CheckExponents(raw), &long) {
		return nil, at(long.Path, long.Error())
	}
	if h.Items != nil && strings.HasSuffix(h.Kind, "List") {
		return expandItems(file, h, locateValue(root, "items"), offset, depth)
	}
	o := &Object{
		JSON: raw, APIVersion: h.APIVersion, Kind: h.Kind, Namespace: h.Metadata.Namespace, Name: h.Metadata.Name,
		File: file, Line: root.Line + offset, root: root, offset: offset,
	}
	if o.Name == "" {
		o.Name = h.Metadata.GenerateName
	}
	return []*Object{o}, nil
}

func expandItems(file string, list head, items *yaml.Node, offset, depth int) ([]*Object, *Problem) {
	if depth == 0 {
		return nil, &Problem{Line: items.Line + offset, Column: items.Column, Message: "lists hold lists too deeply"}
	}
	defaults := ""
	if kind := strings.TrimSuffix(list.Kind, "List"); kind != "" {
		defaults = list.APIVersion + " " + kind
	}
	var objects []*Object
	for i, item := range *list.Items {
		node := items
		if items.Kind == yaml.SequenceNode && i < len(items.Content) {
			node = items.Content[i]
		}
		found, problem := expand(file, item, node, offset, defaults, depth-1)
		objects = append(objects, found...)
		if problem != nil {
			return objects, problem
		}
	}
	return objects, nil
}

// locateValue returns the value of a member of a mapping; the mapping where there is none.
func locateValue(mapping *yaml.Node, name string) *yaml.Node {
	if _, value := find(mapping, name); value != nil {
		return resolve(value)
	}
	return mapping
}

// withType adds apiVersion and kind to an object in JSON.
func withType(raw []byte, types metav1.TypeMeta) []byte {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return raw
	}
	for name, value := range map[string]string{"apiVersion": types.APIVersion, "kind": types.Kind} {
		quoted, err := json.Marshal(value)
		if err != nil {
			return raw
		}
		members[name] = quoted
	}
	typed, err := json.Marshal(members)
	if err != nil {
		return raw
	}
	return typed
}
