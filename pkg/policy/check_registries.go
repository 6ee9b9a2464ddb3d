package policy

import (
	"fmt"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// registriesShown bounds how many allowed registries a message lists.
const registriesShown = 5

// registriesCheck requires that images come from the registries that are listed.
func registriesCheck() Check {
	return Check{
		ID:          RuleRegistries,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Images != nil && len(rules.Images.Registries) > 0 },
		Enforcement: imagesEnforcement,
		Doc:         registriesDoc(),
		Compile: func(rules v1alpha1.Rules) (Judge, error) {
			var globs []image.Glob
			for i, text := range rules.Images.Registries {
				glob, err := parseRegistry(text)
				if err != nil {
					return nil, fmt.Errorf("reading rules.images.registries[%d]: %w", i, err)
				}
				globs = append(globs, glob)
			}
			allowed := shownRegistries(rules.Images.Registries)
			return func(in Input) []Violation { return judgeRegistries(in, globs, allowed) }, nil
		},
	}
}

func judgeRegistries(in Input, globs []image.Glob, allowed string) []Violation {
	var violations []Violation
	for _, slot := range in.Subject.UnsettledImages() {
		ref, err := image.Parse(slot.Image)
		if err != nil {
			violations = append(violations, Violation{Rule: RuleRegistries, Field: slot.Field, Message: fmt.Sprintf(
				"image of %s is from no allowed registry (%s): %v", slot.Owner, allowed, err)})
			continue
		}
		if matchesAny(globs, ref) {
			continue
		}
		violations = append(violations, Violation{Rule: RuleRegistries, Field: slot.Field, Message: fmt.Sprintf(
			"image %q of %s is %s, which is in none of the allowed registries: %s", slot.Image, slot.Owner, ref.Name(), allowed)})
	}
	return violations
}

func matchesAny(globs []image.Glob, ref image.Reference) bool {
	for i := range globs {
		if globs[i].Match(ref) {
			return true
		}
	}
	return false
}

// parseRegistry reads an entry of rules.images.registries: a glob over names, or a host that allows all below it.
// An entry that no image can match is an error.
func parseRegistry(text string) (image.Glob, error) {
	host, rest, found := strings.Cut(text, "/")
	if !found && text != "**" {
		text, rest = text+"/**", "**"
	}
	if found && (rest == "" || strings.HasSuffix(rest, "/") || strings.HasPrefix(rest, "/")) {
		return image.Glob{}, fmt.Errorf("registry %q can match no image: write a host (%q) or a glob (%q)", text, "registry.example.com", "registry.example.com/team/*")
	}
	// A host with wildcards is taken at its word. Of any other the parser tells whether images can have it: of
	// "library" it says that this is a repository of Docker Hub.
	if !strings.Contains(host, "*") {
		if ref, err := image.Parse(host + "/a/b"); err != nil || ref.Repository != "a/b" {
			return image.Glob{}, fmt.Errorf("registry %q can match no image: %q is no registry host; images of Docker Hub are %q", text, host, "docker.io/library/*")
		}
	}
	return image.ParseGlob(text)
}

func shownRegistries(registries []string) string {
	if more := len(registries) - registriesShown; more > 0 {
		return strings.Join(registries[:registriesShown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(registries, ", ")
}

func registriesDoc() Doc {
	return Doc{
		Setting: "images.registries",
		Summary: "Images come only from the registries that are listed.",
		Allows: `Every image whose normalised name (lower-case host, Docker Hub spelled out as ` + "`docker.io/library/…`" + `, without tag and digest) matches an entry.
An entry without a slash is a host and allows everything below it; any other is a glob over the whole name: ` + "`*`" + ` stays within one path segment, ` + "`**`" + ` crosses them.`,
		Denies: `Everything else, in init containers, sidecars, ephemeral containers and image volumes too: other hosts, the same host on another port,
hosts that only begin like an allowed one (` + "`registry.example.com.evil.org`" + `), short names (` + "`nginx`" + ` is ` + "`docker.io/library/nginx`" + `), and references that cannot be read.`,
		Fix: "Push the image to an allowed registry and name it there: `crane copy nginx:1.29 registry.example.com/base/nginx:1.29`.",
		Notes: `Write an entry that ends with the host or with a slash behind it. A wildcard at the end of a host (` + "`registry.example.com*`" + `) also allows the hosts that only begin like it.
An image that the same Pod runs already is not judged again when the Pod is updated.`,
		Example: `images:
  registries:
    - registry.example.com          # everything in this registry
    - docker.io/library/*           # official images, one segment below library
    - ghcr.io/example/**            # any depth
`,
	}
}
