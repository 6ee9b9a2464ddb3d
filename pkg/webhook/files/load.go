package files

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	apimachineryvalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/configuration"
	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// Set is what a directory holds, each kind sorted by name.
type Set struct {
	Environments  []v1alpha1.Environment
	ImagePolicies []v1alpha1.ImagePolicy
}

// Loader reads directories. It is safe for concurrent use.
type Loader struct {
	schemas map[string]*schema
}

// NewLoader compiles the schemas.
func NewLoader() (*Loader, error) {
	all, err := schemas(v1alpha1.KindEnvironment, v1alpha1.KindImagePolicy)
	if err != nil {
		return nil, err
	}
	return &Loader{schemas: all}, nil
}

// Load reads all files *.yaml, *.yml and *.json of a directory, not of those below it. It reports the
// problems of all files at once; each names its file and, where there are several, the document in it.
func (l *Loader) Load(ctx context.Context, directory fs.FS) (*Set, error) {
	names, err := Names(directory)
	if err != nil {
		return nil, err
	}
	c := collector{loader: l, set: &Set{}, origin: map[string]string{}}
	for _, name := range names {
		content, err := fs.ReadFile(directory, name)
		if err != nil {
			c.errs = append(c.errs, fmt.Errorf("reading the configuration: %w", err))
			continue
		}
		c.file(ctx, name, content)
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(c.set.Environments, func(a, b v1alpha1.Environment) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.set.ImagePolicies, func(a, b v1alpha1.ImagePolicy) int { return strings.Compare(a.Name, b.Name) })
	return c.set, nil
}

// Names returns the files that Load reads, sorted.
func Names(directory fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(directory, ".")
	if err != nil {
		return nil, fmt.Errorf("listing the configuration: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		// Directories mounted from ConfigMaps hold "..data" and its like.
		if strings.HasPrefix(name, ".") || entry.IsDir() {
			continue
		}
		if slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			names = append(names, name)
		}
	}
	return names, nil
}

// collector gathers objects and problems of several files.
type collector struct {
	loader *Loader
	set    *Set
	// origin is where an object was found first, by kind and name.
	origin map[string]string
	errs   []error
}

func (c *collector) file(ctx context.Context, name string, content []byte) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		where := name
		if number > 1 {
			where = fmt.Sprintf("%s (document %d)", name, number)
		}
		if err != nil {
			c.errs = append(c.errs, fmt.Errorf("%s: %w", where, err))
			return
		}
		for _, err := range c.document(ctx, where, document) {
			c.errs = append(c.errs, fmt.Errorf("%s: %w", where, err))
		}
	}
}

func (c *collector) document(ctx context.Context, where string, document []byte) []error {
	data, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return []error{err}
	}
	if string(data) == "null" {
		return nil
	}
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return []error{err}
	}
	schema := c.loader.schemas[head.Kind]
	if head.APIVersion != v1alpha1.GroupVersion().String() || schema == nil {
		return []error{fmt.Errorf("%s %s is not read here: a configuration holds %s and %s of %s only",
			orMissing(head.APIVersion, "apiVersion"), orMissing(head.Kind, "kind"),
			v1alpha1.KindEnvironment, v1alpha1.KindImagePolicy, v1alpha1.GroupVersion())}
	}
	if problems := apimachineryvalidation.NameIsDNSSubdomain(head.Metadata.Name, false); len(problems) > 0 {
		return []error{fmt.Errorf("%s: metadata.name %q: %s", head.Kind, head.Metadata.Name, strings.Join(problems, "; "))}
	}
	title := fmt.Sprintf("%s %q", head.Kind, head.Metadata.Name)
	if first, ok := c.origin[title]; ok {
		return []error{fmt.Errorf("%s stands in %s already", title, first)}
	}
	c.origin[title] = where
	return inObject(title, c.object(ctx, head.Kind, schema, data))
}

// object checks one document and adds it to the set.
func (c *collector) object(ctx context.Context, kind string, schema *schema, data []byte) []error {
	if err := rawjson.CheckExponents(data); err != nil {
		return []error{err}
	}
	add := func(target any, problems func() []configuration.Problem, keep func()) []error {
		strict, err := kjson.UnmarshalStrict(data, target, kjson.DisallowUnknownFields, kjson.DisallowDuplicateFields)
		if err != nil {
			return []error{err}
		}
		if len(strict) > 0 {
			return strict
		}
		object := map[string]any{}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &object); err != nil {
			return []error{err}
		}
		if problems := schema.complete(ctx, object); len(problems) > 0 {
			return problems.ToAggregate().Errors()
		}
		completed, err := json.Marshal(object)
		if err != nil {
			return []error{err}
		}
		if err := json.Unmarshal(completed, target); err != nil {
			return []error{err}
		}
		if errs := invalid(problems()); len(errs) > 0 {
			return errs
		}
		keep()
		return nil
	}
	if kind == v1alpha1.KindEnvironment {
		var environment v1alpha1.Environment
		return add(&environment, func() []configuration.Problem { return configuration.Environment(&environment) }, func() { c.set.Environments = append(c.set.Environments, environment) })
	}
	var policy v1alpha1.ImagePolicy
	return add(&policy, func() []configuration.Problem { return configuration.ImagePolicy(&policy) }, func() { c.set.ImagePolicies = append(c.set.ImagePolicies, policy) })
}

// invalid puts problems into the form in which a schema's come.
func invalid(problems []configuration.Problem) []error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = &field.Error{Type: field.ErrorTypeInvalid, Field: p.Field, BadValue: field.OmitValueType{}, Detail: p.Message}
	}
	return errs
}

func inObject(title string, errs []error) []error {
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", title, err)
	}
	return errs
}

func orMissing(value, name string) string {
	if value == "" {
		return "an object without " + name
	}
	return value
}
