package proof

import (
	"maps"
	"slices"
	"strconv"
)

// need is which parts of a JSON value are looked at. The zero value is of one of which only its type is looked at.
type need struct {
	// whole tells that all of the value is looked at.
	whole bool
	// size tells that an object's keys, or how many elements a list has, are looked at.
	size bool
	// fields of an object that are looked at.
	fields map[string]*need
	// each is what is looked at in every element of a list and in every value of an object.
	each *need
}

// field returns what is looked at in a member of an object.
func (n *need) field(key string) *need {
	if n.fields == nil {
		n.fields = map[string]*need{}
	}
	if n.fields[key] == nil {
		n.fields[key] = &need{}
	}
	return n.fields[key]
}

// elements returns what is looked at in every element.
func (n *need) elements() *need {
	n.size = true
	if n.each == nil {
		n.each = &need{}
	}
	return n.each
}

// paths lists what is looked at, sorted, in words such as `."Results"[*]."Severity"=`. Equal needs have equal paths.
func (n *need) paths() []string {
	var list []string
	n.walk("", &list)
	return list
}

func (n *need) walk(path string, list *[]string) {
	switch {
	case n.whole:
		*list = append(*list, path+"=")
		return
	case n.size && n.each == nil:
		*list = append(*list, path+"#")
	case n.each == nil && len(n.fields) == 0:
		*list = append(*list, path)
	}
	if n.each != nil {
		n.each.walk(path+"[*]", list)
	}
	for _, key := range slices.Sorted(maps.Keys(n.fields)) {
		n.fields[key].walk(path+"."+strconv.Quote(key), list)
	}
}
