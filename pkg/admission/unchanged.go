package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// sameJudged tells whether an update leaves alone everything that is judged. It compares what the API
// server shows of both states and believes no annotation.
func sameJudged(subject, old *policy.Subject) (bool, error) {
	if subject.IsPod() {
		return samePod(subject.Template, old.Template)
	}
	hash, err := templatehash.OfJSON(subject.Template)
	if err != nil {
		return false, err
	}
	former, err := templatehash.OfJSON(old.Template)
	if err != nil {
		return false, fmt.Errorf("reading the former state: %w", err)
	}
	return hash == former, nil
}

// runningParts are the parts of a Pod that are judged and that an update can change: all other fields
// are immutable or change nothing that runs.
type runningParts struct {
	Spec struct {
		Containers          any `json:"containers"`
		InitContainers      any `json:"initContainers"`
		EphemeralContainers any `json:"ephemeralContainers"`
		Volumes             any `json:"volumes"`
		Resources           any `json:"resources"`
	} `json:"spec"`
}

func samePod(pod, old []byte) (bool, error) {
	var parts, former runningParts
	if err := decodeExact(pod, &parts); err != nil {
		return false, fmt.Errorf("reading Pod: %w", err)
	}
	if err := decodeExact(old, &former); err != nil {
		return false, fmt.Errorf("reading the former state: %w", err)
	}
	return reflect.DeepEqual(parts, former), nil
}

// sameJSON compares two JSON values by meaning: the order of keys does not count, digits do.
func sameJSON(a, b []byte) bool {
	var left, right any
	if decodeExact(a, &left) != nil || decodeExact(b, &right) != nil {
		return false
	}
	return reflect.DeepEqual(left, right)
}

// decodeExact decodes JSON and keeps numbers as they are written.
func decodeExact(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// sameMember tells whether a member of two objects has the same meaning.
func sameMember(object, old []byte, member string) (bool, error) {
	var now, before map[string]any
	if err := decodeExact(object, &now); err != nil {
		return false, fmt.Errorf("reading the object: %w", err)
	}
	if err := decodeExact(old, &before); err != nil {
		return false, fmt.Errorf("reading the former state: %w", err)
	}
	return reflect.DeepEqual(now[member], before[member]), nil
}
