package defaults

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// resources puts the limits and requests of a container, a pod or a claim into the form in which an API server returns
// them, rounded up to thousandths as it does.
func resources(r object) {
	quantities(child(r, "limits"))
	quantities(child(r, "requests"))
}

func quantities(list object) {
	for name := range list {
		quantity(list, name)
	}
}

// divisor completes that of a resourceFieldRef, which an API server returns as "0" where nobody set it.
func divisor(from object) {
	if ref := child(from, "resourceFieldRef"); ref != nil {
		empty(ref, "divisor", "0")
		quantity(ref, "divisor")
	}
}

// quantity rewrites a member that is a quantity. What is none stays as it is, for others to complain about.
func quantity(parent object, name string) {
	text := ""
	switch value := parent[name].(type) {
	case string:
		text = strings.TrimSpace(value)
	case int64, float64:
		number, err := json.Marshal(value)
		if err != nil {
			return
		}
		text = string(number)
	default:
		return
	}
	if rawjson.CheckExponents([]byte(`{"q":"`+text+`"}`)) != nil {
		return
	}
	read, err := resource.ParseQuantity(text)
	if err != nil {
		return
	}
	read.RoundUp(resource.Milli)
	parent[name] = read.String()
}
