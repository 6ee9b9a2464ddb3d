package image

import (
	"fmt"
	"regexp"
	"strings"
)

// maxNameLength is the limit of github.com/distribution/reference for registry and repository together.
const maxNameLength = 255

// The registry that a reference without one means, its other names, and the home of its official images.
const (
	dockerHub         = "docker.io"
	dockerHubIndex    = "index.docker.io"
	dockerHubEndpoint = "registry-1.docker.io"
	dockerHubOfficial = "library/"
	defaultTag        = "latest"
)

// The grammar of github.com/distribution/reference, for lower-case hosts. IPv6 hosts stand in brackets.
var (
	tagPattern        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	registryPattern   = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[a-f0-9:]+\])(?::[0-9]+)?$`)
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
)

// Reference is an image reference in its one normal form: the registry in lower case, without the
// default port and never empty, Docker Hub as docker.io with the full repository, and a tag wherever there is no digest.
type Reference struct {
	// Registry is a host name or address with an optional port.
	Registry string
	// Repository below the registry.
	Repository string
	// Tag is empty only where Digest is set.
	Tag string
	// Digest is "sha256:" and 64 hexadecimal digits, or empty.
	Digest string
}

// Parse reads a reference as a container runtime would. Its errors say what is wrong with it, never
// which field it stood in.
func Parse(text string) (Reference, error) {
	var ref Reference
	rest := text
	if name, digest, found := strings.Cut(rest, "@"); found {
		if !ValidDigest(digest) {
			return Reference{}, fmt.Errorf("reading image reference %q: digest %q is not sha256 and 64 hexadecimal digits", text, digest)
		}
		ref.Digest, rest = digest, name
	}
	// A colon behind the last slash starts a tag; one before it is the registry's port.
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		ref.Tag, rest = rest[colon+1:], rest[:colon]
		if !tagPattern.MatchString(ref.Tag) {
			return Reference{}, fmt.Errorf("reading image reference %q: %q is not a tag", text, ref.Tag)
		}
	}
	ref.Registry, ref.Repository = splitName(rest)
	if !registryPattern.MatchString(ref.Registry) {
		return Reference{}, fmt.Errorf("reading image reference %q: %q is not a registry host", text, ref.Registry)
	}
	if err := checkPort(ref.Registry); err != nil {
		return Reference{}, fmt.Errorf("reading image reference %q: %w", text, err)
	}
	if ref.Registry != dockerHub && !isHost(ref.Registry) {
		return Reference{}, fmt.Errorf("reading image reference %q: the registry %q is ambiguous, write it in lower case with a domain or a port", text, ref.Registry)
	}
	if !repositoryPattern.MatchString(ref.Repository) {
		return Reference{}, fmt.Errorf("reading image reference %q: %q is not a repository (lower-case path segments)", text, ref.Repository)
	}
	if len(ref.Name()) > maxNameLength {
		return Reference{}, fmt.Errorf("reading image reference: the name is longer than %d characters", maxNameLength)
	}
	if ref.Tag == "" && ref.Digest == "" {
		ref.Tag = defaultTag
	}
	return ref, nil
}

// isHost tells whether a lower-case first segment is a registry and no part of a repository on Docker Hub.
func isHost(segment string) bool {
	return strings.ContainsAny(segment, ".:") || segment == "localhost"
}

// splitName separates the registry from the repository. The first segment is a registry if it could
// not be a repository's: it has a dot, a port or an upper-case letter, or is localhost.
func splitName(name string) (registry, repository string) {
	first, rest, found := strings.Cut(name, "/")
	if !found || (!isHost(first) && first == strings.ToLower(first)) {
		registry, repository = dockerHub, name
	} else {
		registry, repository = strings.ToLower(first), rest
	}
	registry = normalHost(registry)
	if registry == dockerHub && repository != "" && !strings.Contains(repository, "/") {
		repository = dockerHubOfficial + repository
	}
	return registry, repository
}

// ValidDigest tells whether a text is a sha256 digest, the one algorithm that registries and runtimes share.
func ValidDigest(digest string) bool {
	hex, found := strings.CutPrefix(digest, "sha256:")
	if !found || len(hex) != 64 {
		return false
	}
	return strings.Trim(hex, "0123456789abcdef") == ""
}

// Name is registry and repository: what the globs of an ImagePolicy are matched against.
func (r Reference) Name() string {
	return r.Registry + "/" + r.Repository
}

// String is the whole reference. Parse of it gives the same Reference.
func (r Reference) String() string {
	text := r.Name()
	if r.Tag != "" {
		text += ":" + r.Tag
	}
	if r.Digest != "" {
		text += "@" + r.Digest
	}
	return text
}

// WithDigest returns the reference pinned to a digest. The tag stays, for people to read: a runtime
// ignores it beside a digest.
func (r Reference) WithDigest(digest string) Reference {
	r.Digest = digest
	return r
}
