package policy

import (
	"fmt"
	"regexp"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// valueShown bounds the characters of a label's or annotation's value in a message.
const valueShown = 64

// labelsCheck requires labels of pods.
func labelsCheck() Check {
	return metadataCheck(RuleLabels, "label",
		func(rules *v1alpha1.MetadataRules) []v1alpha1.RequiredMetadata { return rules.Labels },
		func(subject *Subject) map[string]string { return subject.Metadata.Labels }, labelsDoc())
}

// annotationsCheck requires annotations of pods.
func annotationsCheck() Check {
	return metadataCheck(RuleAnnotations, "annotation",
		func(rules *v1alpha1.MetadataRules) []v1alpha1.RequiredMetadata { return rules.Annotations },
		func(subject *Subject) map[string]string { return subject.Metadata.Annotations }, annotationsDoc())
}

// requirement is one key, made ready. A nil pattern asks for any value that is not empty.
type requirement struct {
	key     string
	text    string
	pattern *regexp.Regexp
}

func metadataCheck(id Rule, noun string, listed func(*v1alpha1.MetadataRules) []v1alpha1.RequiredMetadata, present func(*Subject) map[string]string, doc Doc) Check {
	return Check{
		ID:          id,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Metadata != nil && len(listed(rules.Metadata)) > 0 },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.Metadata.Enforcement },
		Doc:         doc,
		Compile: func(rules v1alpha1.Rules) (Judge, error) {
			var requirements []requirement
			for i, required := range listed(rules.Metadata) {
				pattern, err := wholePattern(required.Pattern)
				if err != nil {
					return nil, fmt.Errorf("reading rules.metadata.%s[%d].pattern: %w", id, i, err)
				}
				requirements = append(requirements, requirement{key: required.Key, text: required.Pattern, pattern: pattern})
			}
			return func(in Input) []Violation {
				return judgeMetadata(in.Subject, id, noun, requirements, present(in.Subject))
			}, nil
		},
	}
}

// wholePattern compiles a regular expression that must match all of a text; nil of an empty one.
func wholePattern(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	// Alone first: "a)|(b" would only become valid by what is put around it, and match parts.
	if _, err := regexp.Compile(text); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + text + `)\z`)
}

func judgeMetadata(subject *Subject, id Rule, noun string, requirements []requirement, present map[string]string) []Violation {
	var violations []Violation
	for _, r := range requirements {
		value := present[r.key]
		var message string
		switch {
		case value == "" && r.pattern == nil:
			message = fmt.Sprintf("must have the %s %q", noun, r.key)
		case value == "" && !r.pattern.MatchString(value):
			message = fmt.Sprintf("must have the %s %q with a value like %s", noun, r.key, r.text)
		case r.pattern != nil && !r.pattern.MatchString(value):
			message = fmt.Sprintf("the %s %q is %q and must match %s", noun, r.key, shortened(value), r.text)
		default:
			if _, found := present[r.key]; found {
				continue
			}
			message = fmt.Sprintf("must have the %s %q, which may be empty", noun, r.key)
		}
		violations = append(violations, Violation{Rule: id, Field: subject.Field(fmt.Sprintf("metadata.%s[%s]", id, r.key)), Message: message})
	}
	return violations
}

func shortened(value string) string {
	if runes := []rune(value); len(runes) > valueShown {
		return string(runes[:valueShown]) + "…"
	}
	return value
}

func labelsDoc() Doc {
	return Doc{
		Setting: "metadata.labels",
		Summary: "Pods carry the labels that are listed.",
		Allows:  "Pods with every listed label. With a `pattern` the whole value matches it (a regular expression, RE2); without one the value is not empty.",
		Denies:  "Pods without a listed label, or with a value that does not match. Labels of a workload itself do not count: what runs are its pods, so those of `spec.template.metadata` do.",
		Fix:     "Add the label to the Pod, or to `spec.template.metadata.labels` of the workload. The selector of a Deployment need not name it.",
		Example: `metadata:
  labels:
    - key: app.kubernetes.io/name
    - {key: cost-center, pattern: "cc-[0-9]{4}"}
`,
	}
}

func annotationsDoc() Doc {
	return Doc{
		Setting: "metadata.annotations",
		Summary: "Pods carry the annotations that are listed.",
		Allows:  "Pods with every listed annotation. With a `pattern` the whole value matches it (a regular expression, RE2); without one the value is not empty.",
		Denies:  "Pods without a listed annotation, or with a value that does not match. Annotations of a workload itself do not count, those of its pod template do.",
		Fix:     "Add the annotation to the Pod, or to `spec.template.metadata.annotations` of the workload.",
		Example: `metadata:
  annotations:
    - key: example.com/runbook
      pattern: https://runbooks\.example\.com/.+
`,
	}
}
