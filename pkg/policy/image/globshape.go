package image

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// anyPath is the glob that matches every name.
const anyPath = "**"

var stars = regexp.MustCompile(`\*+`)

// splitGlob returns the host in its normal form and the path of a glob that some name can match.
func splitGlob(text string) (host, path string, err error) {
	if text == anyPath {
		return text, "", nil
	}
	host, path, found := strings.Cut(text, "/")
	switch {
	case strings.Contains(text, "://"):
		return "", "", errors.New("names have no scheme: leave out what stands before the host")
	case !found:
		return "", "", fmt.Errorf("it must begin with a registry, as in %q", "docker.io/library/*")
	case strings.ContainsAny(text, " \t\r\n"):
		return "", "", errors.New("names have no spaces")
	case strings.Contains(host, "@"):
		return "", "", fmt.Errorf("names have no user: write the host %q", host[strings.LastIndexByte(host, '@')+1:])
	case path == "" || strings.HasSuffix(path, "/"):
		return "", "", fmt.Errorf("a name does not end with a slash: write %q", strings.TrimRight(text, "/")+"/**")
	case strings.Contains("/"+path, "//"):
		return "", "", errors.New("a name has no empty segment: write single slashes")
	case strings.ContainsAny(path, "@:") || path != strings.ToLower(path):
		return "", "", errors.New("it matches a lower-case name without tag and digest")
	case !repositoryPattern.MatchString(stars.ReplaceAllString(path, "a")):
		return "", "", fmt.Errorf("no repository can be named %q: segments begin and end with a letter or a digit", path)
	}
	host = normalHost(strings.ToLower(host))
	if err := checkGlobHost(host, path); err != nil {
		return "", "", err
	}
	if host == dockerHub && !strings.Contains(path, "/") && !strings.Contains(path, "**") {
		return "", "", fmt.Errorf("names on Docker Hub have two segments behind the host: write %q, or %q for all of them",
			dockerHub+"/"+dockerHubOfficial+path, dockerHub+"/**")
	}
	return host, path, nil
}

// checkGlobHost tells whether a registry can have a host.
func checkGlobHost(host, path string) error {
	if host == anyPath || host == "*" {
		return nil
	}
	if strings.Contains(host, "**") {
		return fmt.Errorf("%q would match hosts that only end or begin like it, and paths: write * within a host", host)
	}
	possible := func(with string) bool {
		candidate := strings.ReplaceAll(host, "*", with)
		return registryPattern.MatchString(candidate) && checkPort(candidate) == nil
	}
	wild := strings.Contains(host, "*")
	switch {
	case !possible("a") && !possible("1"): // A star may stand in a port, too.
		return fmt.Errorf("%q is no registry host", host)
	case wild && strings.HasSuffix(host, defaultPort):
		return fmt.Errorf("names do not show the default port: write %q", strings.TrimSuffix(host, defaultPort)+"/"+path)
	case !wild && !isHost(host):
		return fmt.Errorf("%q is no registry host (it has neither a dot nor a port), so that this would be a part of Docker Hub: write %q",
			host, dockerHub+"/"+host+"/"+path)
	}
	return nil
}
