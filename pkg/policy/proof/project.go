package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

const (
	// maxProjection in bytes of what is kept of one predicate.
	maxProjection = 64 << 10
	// maxPredicateDepth is how deep the values of a predicate may nest: the deepest of the known types nests some tens.
	maxPredicateDepth = 100
)

// Project returns the part of a predicate that conditions and ages look at, as JSON. All conditions have the same
// outcome for it as for the whole. The error says that it is no JSON or that too much of it is looked at. What it
// allocates is bounded by what it returns, not by the predicate.
func (r *Requirement) Project(predicateType string, predicate json.RawMessage) (json.RawMessage, error) {
	if err := rawjson.Validate(predicate, maxPredicateDepth); err != nil {
		return nil, fmt.Errorf("reading the predicate: %w", err)
	}
	looked := r.needs[predicateType]
	if looked == nil {
		looked = &need{}
	}
	p := projection{}
	p.value(predicate, []*need{looked})
	if p.overflow {
		return nil, fmt.Errorf("projecting the predicate: the conditions look at more than %d KiB of it; let them read fields of its elements, not elements as a whole", maxProjection>>10)
	}
	return p.out.Bytes(), nil
}

// ProjectTime returns the part of a predicate that says when it was made, for one whose other parts cannot be kept;
// nothing where that cannot be read either.
func ProjectTime(predicateType string, predicate json.RawMessage) json.RawMessage {
	path := timePath(predicateType)
	if len(path) == 0 || rawjson.Validate(predicate, maxPredicateDepth) != nil {
		return nil
	}
	at := &need{}
	inner := at
	for _, key := range path {
		inner = inner.field(key)
	}
	p := projection{}
	p.value(predicate, []*need{at})
	if p.overflow {
		return nil
	}
	return p.out.Bytes()
}

// projection is written up to its bound.
type projection struct {
	out      bytes.Buffer
	overflow bool
}

func (p *projection) write(text []byte) {
	if p.overflow || p.out.Len()+len(text) > maxProjection {
		p.overflow = true
		return
	}
	p.out.Write(text)
}

// value writes what any of the needs looks at.
func (p *projection) value(value []byte, needs []*need) {
	kind := rawjson.Kind(value)
	switch {
	case p.overflow:
	case slices.ContainsFunc(needs, func(n *need) bool { return n.whole }):
		p.whole(value)
	case kind == '{':
		p.object(value, needs)
	case kind == '[':
		p.list(value, needs)
	default:
		p.write(bytes.TrimSpace(value))
	}
}

// whole writes all of a value without the spaces in it, of which there may not be many times more than the rest.
func (p *projection) whole(value []byte) {
	if len(value) > 4*maxProjection {
		p.overflow = true
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		p.overflow = true // It was validated before.
		return
	}
	p.write(compact.Bytes())
}

func (p *projection) object(object []byte, needs []*need) {
	all := slices.ContainsFunc(needs, func(n *need) bool { return n.size })
	var keys []string
	places := map[string]rawjson.Span{}
	size := 0
	for key, at := range rawjson.Members(object) {
		if !all && !slices.ContainsFunc(needs, func(n *need) bool { return n.fields[key] != nil }) {
			continue
		}
		if _, again := places[key]; !again {
			keys = append(keys, key)
			if size += len(key); size > maxProjection {
				p.overflow = true
				return
			}
		}
		// Of a key that stands there twice the last one counts, as for whoever decodes it.
		places[key] = at
	}
	p.write([]byte{'{'})
	for i, key := range keys {
		if i > 0 {
			p.write([]byte{','})
		}
		name, _ := json.Marshal(key) // a string can be marshalled
		p.write(append(name, ':'))
		p.part(object[places[key].Start:places[key].End], needs, key)
	}
	p.write([]byte{'}'})
}

func (p *projection) list(list []byte, needs []*need) {
	p.write([]byte{'['})
	if slices.ContainsFunc(needs, func(n *need) bool { return n.size }) {
		first := true
		for at := range rawjson.Elements(list) {
			if !first {
				p.write([]byte{','})
			}
			first = false
			p.part(list[at.Start:at.End], needs, "")
			if p.overflow {
				return
			}
		}
	}
	p.write([]byte{']'})
}

// part writes the value of a key or, where there is none, an element of a list; null where only its being there is
// looked at.
func (p *projection) part(value []byte, needs []*need, key string) {
	var inner []*need
	for _, n := range needs {
		if n.each != nil {
			inner = append(inner, n.each)
		}
		if field := n.fields[key]; field != nil {
			inner = append(inner, field)
		}
	}
	if len(inner) == 0 {
		p.write([]byte("null"))
		return
	}
	p.value(value, inner)
}
