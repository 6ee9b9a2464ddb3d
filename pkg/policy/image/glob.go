package image

import (
	"fmt"
	"regexp"
	"strings"
)

// Glob is a pattern over normalized names (registry and repository, no tag, no digest).
type Glob struct {
	text    string
	pattern *regexp.Regexp
}

// ParseGlob reads a glob: "*" matches any text within one path segment, "**" across segments, every
// other character itself. The whole name must match, so "registry.example.com/*" does not match
// "registry.example.com.evil.org/web". The host is matched in its normal form, like that of a reference.
// A glob that could match nothing is an error and not a silent hole.
func ParseGlob(text string) (Glob, error) {
	host, path, err := splitGlob(text)
	if err != nil {
		return Glob{}, fmt.Errorf("reading image glob %q: %w", text, err)
	}
	lowered := host
	if path != "" {
		lowered += "/" + path
	}
	var expression strings.Builder
	expression.WriteString(`^`)
	for i := 0; i < len(lowered); i++ {
		switch {
		case strings.HasPrefix(lowered[i:], "**"):
			expression.WriteString(`.*`)
			i++
		case lowered[i] == '*':
			expression.WriteString(`[^/]*`)
		default:
			expression.WriteString(regexp.QuoteMeta(lowered[i : i+1]))
		}
	}
	expression.WriteString(`$`)
	pattern, err := regexp.Compile(expression.String())
	if err != nil {
		return Glob{}, fmt.Errorf("reading image glob %q: %w", text, err)
	}
	return Glob{text: text, pattern: pattern}, nil
}

// Match tells whether the glob covers a reference's name. The zero Glob covers nothing.
func (g Glob) Match(ref Reference) bool {
	return g.pattern != nil && g.pattern.MatchString(ref.Name())
}

// String is the glob as it was written.
func (g Glob) String() string { return g.text }
