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
// "registry.example.com.evil.org/web". The host is matched in lower case. A glob with an upper-case
// letter, a tag or a digest could match nothing, which is an error and not a silent hole.
func ParseGlob(text string) (Glob, error) {
	host, rest, found := strings.Cut(text, "/")
	if !found && text != "**" {
		return Glob{}, fmt.Errorf("reading image glob %q: it must begin with a registry, as in %q", text, "docker.io/library/*")
	}
	lowered := strings.ToLower(host)
	if lowered == dockerHubIndex || lowered == dockerHubEndpoint {
		lowered = dockerHub
	}
	if found {
		lowered += "/" + rest
	}
	if strings.ContainsAny(rest, "@:") || rest != strings.ToLower(rest) || strings.ContainsAny(text, " \t\n") {
		return Glob{}, fmt.Errorf("reading image glob %q: it matches a lower-case name without tag and digest", text)
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
