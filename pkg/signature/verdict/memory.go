package verdict

import "container/list"

// memory keeps facts, bounded in number and size. The ones used least recently go first. It is not safe for
// concurrent use.
type memory struct {
	maxFacts, maxBytes int
	bytes              int
	// order has the fact used last in front.
	order    *list.List
	elements map[Key]*list.Element
}

type entry struct {
	key  Key
	fact *Fact
	size int
}

func newMemory(maxFacts, maxBytes int) *memory {
	return &memory{maxFacts: maxFacts, maxBytes: maxBytes, order: list.New(), elements: map[Key]*list.Element{}}
}

func (m *memory) get(key Key) *Fact {
	element, found := m.elements[key]
	if !found {
		return nil
	}
	m.order.MoveToFront(element)
	return element.Value.(*entry).fact
}

func (m *memory) put(key Key, fact *Fact) {
	m.remove(key)
	e := &entry{key: key, fact: fact, size: size(key, fact)}
	m.elements[key] = m.order.PushFront(e)
	m.bytes += e.size
	for m.order.Len() > m.maxFacts || m.bytes > m.maxBytes {
		m.remove(m.order.Back().Value.(*entry).key)
	}
}

func (m *memory) remove(key Key) bool {
	element, found := m.elements[key]
	if !found {
		return false
	}
	m.order.Remove(element)
	delete(m.elements, key)
	m.bytes -= element.Value.(*entry).size
	return true
}

// removeWhere removes all facts for which a condition holds.
func (m *memory) removeWhere(condition func(*Fact) bool) {
	for key, element := range m.elements {
		if condition(element.Value.(*entry).fact) {
			m.remove(key)
		}
	}
}
