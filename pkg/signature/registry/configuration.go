package registry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// ConfigurationKind is the kind of the file that ReadConfiguration reads.
const ConfigurationKind = "RegistryConfiguration"

// maxConfiguration bounds the file and each file of certificates, in bytes.
const maxConfiguration = 1 << 20

// Configuration is the content of a file: what registries need beyond their name.
type Configuration struct {
	metav1.TypeMeta `json:",inline"`
	Registries      []Registry `json:"registries,omitempty"`
}

// Registry is what one registry or mirror needs beyond its name.
type Registry struct {
	// Host of the registry with its port, as it stands in image references. Port 443 is the default one, so that
	// a host with it and without it is one registry.
	Host string `json:"host"`
	// PlainHTTP says that it speaks HTTP without TLS.
	PlainHTTP bool `json:"plainHTTP,omitempty"`
	// SkipTLSVerify says that its certificate is not verified: whoever is on the way can answer for it.
	SkipTLSVerify bool `json:"skipTLSVerify,omitempty"`
	// CAFile names a file of PEM certificates that are trusted for this registry, beside those of the
	// system. It is relative to the configuration's directory and read once.
	CAFile string `json:"caFile,omitempty"`
	// CAData are such certificates themselves.
	CAData string `json:"caData,omitempty"`
	// Mirrors are asked first, in this order: "mirror.internal:5000/path", below which the registry's
	// repositories lie under their own names. What a mirror needs itself is an entry of its own.
	Mirrors []string `json:"mirrors,omitempty"`
}

// ReadConfiguration reads and checks a file. It reports all mistakes at once, each with its field.
func ReadConfiguration(path string) (*Configuration, error) {
	content, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading the registry configuration: %w", err)
	}
	configuration, err := parseConfiguration(content, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("reading the registry configuration %q: %w", path, err)
	}
	return configuration, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfiguration {
		return nil, fmt.Errorf("%s: it is larger than %d bytes", path, maxConfiguration)
	}
	return os.ReadFile(path)
}

func parseConfiguration(content []byte, directory string) (*Configuration, error) {
	data, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		return nil, err
	}
	configuration := &Configuration{}
	problems, err := kjson.UnmarshalStrict(data, configuration, kjson.DisallowUnknownFields, kjson.DisallowDuplicateFields)
	if err != nil {
		return nil, err
	}
	if want := v1alpha1.GroupVersion().String(); configuration.APIVersion != want || configuration.Kind != ConfigurationKind {
		problems = append(problems, fmt.Errorf("it is apiVersion %q, kind %q; it must be %q, %q",
			configuration.APIVersion, configuration.Kind, want, ConfigurationKind))
	}
	for i := range configuration.Registries {
		if file := configuration.Registries[i].CAFile; file != "" && !filepath.IsAbs(file) {
			configuration.Registries[i].CAFile = filepath.Join(directory, file)
		}
	}
	if _, err := compile(configuration.Registries); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return configuration, nil
}

// settings is a Registry that was checked.
type settings struct {
	Registry
	// asked is the host that is asked, with its port.
	asked string
	// roots are nil where the system's suffice.
	roots   *x509.CertPool
	mirrors []mirror
}

// mirror is a place where a registry's repositories can be had too.
type mirror struct {
	host string
	// prefix of the repositories, ending in a slash unless empty.
	prefix string
}

// compile checks registries and returns them by the host that is really asked.
func compile(registries []Registry) (map[string]settings, error) {
	all := map[string]settings{}
	var problems []error
	report := func(i int, field, format string, arguments ...any) {
		problems = append(problems, fmt.Errorf("registries[%d].%s: %s", i, field, fmt.Sprintf(format, arguments...)))
	}
	for i, registry := range registries {
		host, err := parseHost(registry.Host)
		if err != nil {
			report(i, "host", "%s", err)
			continue
		}
		if _, found := all[host]; found {
			report(i, "host", "%q stands here twice (port 443 is the default)", registry.Host)
		}
		if registry.PlainHTTP && (registry.SkipTLSVerify || registry.CAFile != "" || registry.CAData != "") {
			report(i, "plainHTTP", "plain HTTP has no certificate: it excludes skipTLSVerify, caFile and caData")
		}
		if registry.SkipTLSVerify && (registry.CAFile != "" || registry.CAData != "") {
			report(i, "skipTLSVerify", "it excludes caFile and caData, which would not be used")
		}
		compiled := settings{Registry: registry, asked: host}
		// Behind plain HTTP a host without a port is at port 80.
		if registry.PlainHTTP && strings.HasSuffix(registry.Host, httpsPort) && !strings.HasSuffix(host, httpsPort) {
			compiled.asked += httpsPort
		}
		if compiled.roots, err = roots(registry, func(field, message string) { report(i, field, "%s", message) }); err != nil {
			problems = append(problems, err)
		}
		for j, text := range registry.Mirrors {
			parsed, err := parseMirror(text)
			switch {
			case err != nil:
				report(i, fmt.Sprintf("mirrors[%d]", j), "%s", err)
			case parsed.host == host && parsed.prefix == "":
				report(i, fmt.Sprintf("mirrors[%d]", j), "%q is the registry itself", text)
			default:
				compiled.mirrors = append(compiled.mirrors, parsed)
			}
		}
		all[host] = compiled
	}
	return all, errors.Join(problems...)
}

// roots are the system's certificates and the registry's own.
func roots(registry Registry, report func(field, message string)) (*x509.CertPool, error) {
	if registry.CAFile == "" && registry.CAData == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificates: %w", err)
	}
	if registry.CAData != "" && !pool.AppendCertsFromPEM([]byte(registry.CAData)) {
		report("caData", "it holds no PEM certificate")
	}
	if registry.CAFile != "" {
		content, err := readBounded(registry.CAFile)
		switch {
		case err != nil:
			report("caFile", err.Error())
		case !pool.AppendCertsFromPEM(content):
			report("caFile", fmt.Sprintf("%s holds no PEM certificate", registry.CAFile))
		}
	}
	return pool, nil
}

// parseHost returns the host that is asked for a registry named so.
func parseHost(text string) (string, error) {
	// What is no host becomes a part of the repository.
	const repository = "team/image"
	ref, err := image.Parse(text + "/" + repository)
	if err != nil || ref.Repository != repository {
		return "", fmt.Errorf("%q is no registry host as in %q", text, "registry.internal:5000")
	}
	return apiHost(ref.Registry), nil
}

func parseMirror(text string) (mirror, error) {
	host, path, _ := strings.Cut(text, "/")
	parsed, err := parseHost(host)
	if err != nil {
		return mirror{}, fmt.Errorf("%q is no mirror as in %q", text, "mirror.internal:5000/path")
	}
	if path == "" && !strings.HasSuffix(text, "/") {
		return mirror{host: parsed}, nil
	}
	// Behind a host of two segments no rule for official images changes the path.
	ref, err := image.Parse("mirror.invalid/" + path)
	if err != nil || ref.Repository != path {
		return mirror{}, fmt.Errorf("%q is no mirror as in %q", text, "mirror.internal:5000/path")
	}
	return mirror{host: parsed, prefix: path + "/"}, nil
}

// The host that answers for Docker Hub, by which credentials for it are kept too.
const (
	dockerHub    = "docker.io"
	dockerHubAPI = "index.docker.io"
)

// httpsPort is left out of the names of registries.
const httpsPort = ":443"

func apiHost(registry string) string {
	if registry == dockerHub {
		return dockerHubAPI
	}
	return registry
}
