package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Change is one field of a pod template that differs.
type Change struct {
	// Path from the template's root; members of named lists are told by name: spec.containers[web].image.
	Path string `json:"path"`
	// From is empty where the field is new.
	From string `json:"from,omitempty"`
	// To is empty where the field is gone.
	To string `json:"to,omitempty"`
}

// String is the line for people.
func (c Change) String() string {
	switch {
	case c.From == "":
		return fmt.Sprintf("%s: %s (new)", c.Path, c.To)
	case c.To == "":
		return fmt.Sprintf("%s: %s (removed)", c.Path, c.From)
	default:
		return fmt.Sprintf("%s: %s → %s", c.Path, c.From, c.To)
	}
}

// Changes lists every field in which two templates differ, sorted by path. A nil from means that
// there was nothing before: then only the images are listed, because all else is new as well.
func Changes(from, to *corev1.PodTemplateSpec) []Change {
	if from == nil {
		return newImages(to)
	}
	before, after := map[string]string{}, map[string]string{}
	flatten("", generic(from), before)
	flatten("", generic(to), after)
	return differences(before, after)
}

func differences(before, after map[string]string) []Change {
	var changes []Change
	for path, value := range before {
		if after[path] != value {
			changes = append(changes, Change{Path: path, From: value, To: after[path]})
		}
	}
	for path, value := range after {
		if _, known := before[path]; !known {
			changes = append(changes, Change{Path: path, To: value})
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Path < changes[j].Path })
	return changes
}

// RawChanges is Changes over templates as they stand in storage, so that fields that no Go type of this
// program knows are told too: an approval covers them as well.
func RawChanges(from, to []byte) ([]Change, error) {
	before, after := map[string]string{}, map[string]string{}
	if err := flattenRaw(from, before); err != nil {
		return nil, err
	}
	if err := flattenRaw(to, after); err != nil {
		return nil, err
	}
	return differences(before, after), nil
}

func flattenRaw(raw []byte, into map[string]string) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	// Numbers stay as they are written.
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return fmt.Errorf("decoding pod template: %w", err)
	}
	flatten("", value, into)
	return nil
}

func newImages(to *corev1.PodTemplateSpec) []Change {
	var changes []Change
	for _, c := range to.Spec.InitContainers {
		changes = append(changes, Change{Path: "spec.initContainers[" + c.Name + "].image", To: c.Image})
	}
	for _, c := range to.Spec.Containers {
		changes = append(changes, Change{Path: "spec.containers[" + c.Name + "].image", To: c.Image})
	}
	return changes
}

// generic gives the JSON form of a template, without what the API machinery adds to it.
func generic(template *corev1.PodTemplateSpec) any {
	raw, err := json.Marshal(template)
	if err != nil {
		// A typed template of strings, numbers and maps of strings always encodes.
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil
	}
	return value
}

// flatten writes every leaf of a JSON value under its path.
func flatten(path string, value any, into map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 && path != "" {
			into[path] = "{}"
		}
		for key, member := range v {
			flatten(join(path, key), member, into)
		}
	case []any:
		if len(v) == 0 {
			into[path] = "[]"
		}
		seen := map[string]bool{}
		for i, member := range v {
			flatten(path+"["+indexOf(i, member, seen)+"]", member, into)
		}
	case nil:
	default:
		into[path] = leaf(v)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// indexOf names a list's member by its name where it has one that no earlier member has.
func indexOf(i int, member any, seen map[string]bool) string {
	if object, ok := member.(map[string]any); ok {
		if name, ok := object["name"].(string); ok && !seen[name] {
			seen[name] = true
			return name
		}
	}
	return strconv.Itoa(i)
}

func leaf(value any) string {
	if s, ok := value.(string); ok {
		if s == "" {
			return `""`
		}
		return strconv.Quote(s)[1 : len(strconv.Quote(s))-1]
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(raw)
}
