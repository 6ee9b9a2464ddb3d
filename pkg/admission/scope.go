package admission

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// scope says by which rules a request is judged: all of them for a creation and for a new pod template, on
// other updates those alone that are about what changes. The zero scope judges nothing.
type scope struct {
	// whole: all rules.
	whole bool
	// images of a Pod change: other ones, or ephemeral containers. Like the API server's own Pod Security
	// admission, this judges the Pod Security Standards over the whole Pod.
	images bool
	// resources of a Pod change, by a resize.
	resources bool
	// outside of the pod template the spec changes, in more than the number of pods: custom rules see all of it.
	outside bool
}

// judges tells whether a rule counts.
func (s scope) judges(rule policy.Rule) bool {
	switch {
	case s == scope{}:
		return false
	case s.whole || rule == policy.RuleCompletion || rule == policy.RuleCustom || strings.HasPrefix(string(rule), string(policy.CustomRule(""))):
		return true
	}
	switch rule {
	case policy.RuleResources:
		return s.resources
	case policy.RuleRegistries, policy.RuleTags, policy.RulePin, policy.RuleImageVolumes, policy.RuleSignatures, policy.RulePodSecurity:
		return s.images
	case policy.RuleApproval, policy.RuleAccess:
		return s.images || s.resources
	}
	return false
}

// needsFacts tells whether anything outside of the object counts: custom rules see the object alone.
func (s scope) needsFacts() bool { return s.whole || s.images || s.resources }

// within takes out of a verdict what is not judged.
func (s scope) within(verdict policy.Verdict) policy.Verdict {
	if s.whole {
		return verdict
	}
	verdict.Violations = slices.DeleteFunc(slices.Clone(verdict.Violations), func(v policy.Violation) bool { return !s.judges(v.Rule) })
	verdict.Exempted = slices.DeleteFunc(slices.Clone(verdict.Exempted), func(e policy.Exempted) bool { return !s.judges(e.Rule) })
	return verdict
}

// scopeOf compares what the API server shows of both states and believes no annotation, no owner reference and
// no time of deletion.
func scopeOf(subject, old *policy.Subject) (scope, error) {
	now, err := readSpec(subject.Object)
	if err != nil {
		return scope{}, fmt.Errorf("reading %s: %w", subject, err)
	}
	before, err := readSpec(old.Object)
	if err != nil {
		return scope{}, fmt.Errorf("reading the former state: %w", err)
	}
	if subject.IsPod() {
		return podScope(now, before), nil
	}
	hash, err := templatehash.OfJSON(subject.Template)
	if err != nil {
		return scope{}, err
	}
	former, err := templatehash.OfJSON(old.Template)
	if err != nil {
		return scope{}, fmt.Errorf("reading the former state: %w", err)
	}
	if hash != former {
		return scope{whole: true}, nil
	}
	path, below := strings.CutPrefix(subject.TemplatePath, "spec.")
	for _, spec := range []map[string]any{now, before} {
		if below {
			unstructured.RemoveNestedField(spec, strings.Split(path, ".")...)
		}
		for _, size := range []string{"replicas", "paused", "suspend", "parallelism"} {
			delete(spec, size)
		}
	}
	return scope{outside: !reflect.DeepEqual(now, before)}, nil
}

// readSpec decodes with case-sensitive keys, as the API server does; an object without a spec has an empty one.
func readSpec(raw []byte) (map[string]any, error) {
	var object map[string]any
	if err := utiljson.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	spec, _ := object["spec"].(map[string]any)
	if spec == nil {
		spec = map[string]any{}
	}
	return spec, nil
}

// podScope compares the parts of a Pod's spec that an update can change.
func podScope(now, before map[string]any) scope {
	var s scope
	for _, list := range []string{"containers", "initContainers"} {
		have, had := splitContainers(now[list]), splitContainers(before[list])
		s.images = s.images || !reflect.DeepEqual(have.images, had.images)
		s.resources = s.resources || !reflect.DeepEqual(have.resources, had.resources)
		s.whole = s.whole || !reflect.DeepEqual(have.rest, had.rest)
		delete(now, list)
		delete(before, list)
	}
	s.images = s.images || !reflect.DeepEqual(now["ephemeralContainers"], before["ephemeralContainers"])
	s.resources = s.resources || !reflect.DeepEqual(now["resources"], before["resources"])
	s.whole = s.whole || !reflect.DeepEqual(now["volumes"], before["volumes"])
	for _, spec := range []map[string]any{now, before} {
		for _, field := range []string{"ephemeralContainers", "resources", "volumes"} {
			delete(spec, field)
		}
	}
	s.outside = !s.whole && !s.images && !s.resources && !reflect.DeepEqual(now, before)
	return s
}

// parts of a list of containers, each in the order of the list.
type parts struct{ images, resources, rest []any }

func splitContainers(list any) parts {
	var p parts
	items, _ := list.([]any)
	for _, item := range items {
		container, ok := item.(map[string]any)
		if !ok {
			p.rest = append(p.rest, item)
			continue
		}
		rest := maps.Clone(container)
		delete(rest, "image")
		delete(rest, "resources")
		delete(rest, "resizePolicy")
		p.images = append(p.images, container["image"])
		p.resources = append(p.resources, []any{container["resources"], container["resizePolicy"]})
		p.rest = append(p.rest, rest)
	}
	return p
}
