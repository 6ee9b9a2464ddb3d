package registration

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// maxSelectorTerms bounds the requirements and values of a selector, so that its expressions stay far below
// what the API server parses.
const maxSelectorTerms = 128

var errSelectorTooLarge = errors.New("it has more than " + strconv.Itoa(maxSelectorTerms) + " requirements and values")

// wantedSelector returns the selector of an Environment that can match anything. Where it cannot be read, or is
// none that the API server would take, the one in the entry stays: one wrong selector must neither free
// namespaces nor keep the entries of all others from being written.
func wantedSelector(environment *stored.Environment, entries map[string]placed) (*metav1.LabelSelector, error) {
	inPlace := entries[selectedName(environment.Name)].selector
	if !environment.SelectorKnown {
		return inPlace, nil
	}
	if !environment.SelectsByLabel() {
		return nil, nil
	}
	selector := environment.Spec.NamespaceSelector
	_, err := metav1.LabelSelectorAsSelector(selector)
	if err == nil && terms(selector) > maxSelectorTerms {
		err = errSelectorTooLarge
	}
	if err != nil {
		return inPlace, fmt.Errorf("reading spec.namespaceSelector: %w", err)
	}
	return selector, nil
}

func terms(selector *metav1.LabelSelector) int {
	n := len(selector.MatchLabels)
	for _, requirement := range selector.MatchExpressions {
		n += 1 + len(requirement.Values)
	}
	return n
}

// withListed adds to a selector that namespaces which are listed by name are none of it.
func withListed(selector *metav1.LabelSelector, listed []string) *metav1.LabelSelector {
	added := selector.DeepCopy()
	added.MatchExpressions = append(added.MatchExpressions, notListed(listed))
	return added
}

func notListed(listed []string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: namespaceLabel, Operator: metav1.LabelSelectorOpNotIn, Values: listed}
}

// withoutListed undoes withListed; nil where nothing is left that matches by label.
func withoutListed(selector *metav1.LabelSelector) *metav1.LabelSelector {
	if selector == nil || len(selector.MatchExpressions) == 0 {
		return nil
	}
	rest := selector.DeepCopy()
	last := len(rest.MatchExpressions) - 1
	if e := rest.MatchExpressions[last]; e.Key != namespaceLabel || e.Operator != metav1.LabelSelectorOpNotIn {
		return nil
	}
	rest.MatchExpressions = rest.MatchExpressions[:last]
	if last == 0 {
		rest.MatchExpressions = nil
	}
	if len(rest.MatchLabels)+len(rest.MatchExpressions) == 0 {
		return nil
	}
	return rest
}

// leaving are the conditions under which the update of a Namespace takes it out of a selector.
func leaving(selector *metav1.LabelSelector) []admissionregistrationv1.MatchCondition {
	return []admissionregistrationv1.MatchCondition{
		{Name: "matched-before", Expression: matches(selector, "oldObject")},
		{Name: "matches-no-more", Expression: "!(" + matches(selector, "object") + ")"},
	}
}

// matches says in CEL what a valid label selector says about an object. No value of a label makes it fail.
func matches(selector *metav1.LabelSelector, object string) string {
	labels := object + ".metadata.?labels.orValue({})"
	value := func(key string) string { return labels + "[?" + quote(key) + "]" }
	var parts []string
	for _, key := range sortedKeys(selector.MatchLabels) {
		parts = append(parts, value(key)+" == optional.of("+quote(selector.MatchLabels[key])+")")
	}
	for _, requirement := range selector.MatchExpressions {
		has := quote(requirement.Key) + " in " + labels
		in := has + " && " + value(requirement.Key) + ".orValue('') in [" + quoteAll(requirement.Values) + "]"
		switch requirement.Operator {
		case metav1.LabelSelectorOpIn:
			parts = append(parts, in)
		case metav1.LabelSelectorOpNotIn:
			parts = append(parts, "!("+in+")")
		case metav1.LabelSelectorOpExists:
			parts = append(parts, has)
		case metav1.LabelSelectorOpDoesNotExist:
			parts = append(parts, "!("+has+")")
		default:
			// Not reached with a valid selector. One that says something else matches nothing.
			parts = append(parts, "false")
		}
	}
	return strings.Join(parts, " && ")
}

// quote makes a CEL string. What Go escapes in ASCII, CEL reads the same way:
// https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values
func quote(text string) string { return strconv.QuoteToASCII(strings.ToValidUTF8(text, "�")) }

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return strings.Join(quoted, ", ")
}
