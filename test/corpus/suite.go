package corpus

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

//go:embed testdata
var testdata embed.FS

// Prefix of the names of the corpus's Environments and namespaces.
const Prefix = "corpus-"

// Expectation is one violation that an object must be found to have; what stands in the message is left to the
// tests of each check.
type Expectation struct {
	Rule string `json:"rule"`
	// Field is the path from the object's root.
	Field       string               `json:"field"`
	Enforcement v1alpha1.Enforcement `json:"enforcement"`
}

// Compare orders expectations.
func (e Expectation) Compare(other Expectation) int { return strings.Compare(e.key(), other.key()) }

func (e Expectation) key() string { return e.Field + "\x00" + e.Rule + "\x00" + string(e.Enforcement) }

// Object is one manifest and what is expected of it.
type Object struct {
	// Name of the object, which is the case and the kind.
	Name string
	Kind Kind
	// Content of the object, without a namespace.
	Content map[string]any
	// With are objects that must stand beside it: a PodDisruptionBudget, an autoscaler.
	With []map[string]any
	// Want are the violations, sorted.
	Want []Expectation
}

// In returns the object in a namespace, and those that stand beside it.
func (o Object) In(namespace string) (object *unstructured.Unstructured, with []*unstructured.Unstructured) {
	for _, content := range o.With {
		with = append(with, placed(content, namespace))
	}
	return placed(o.Content, namespace), with
}

func placed(content map[string]any, namespace string) *unstructured.Unstructured {
	object := (&unstructured.Unstructured{Object: content}).DeepCopy()
	object.SetNamespace(namespace)
	return object
}

// Suite is the rules of one Environment and the objects that are judged by them.
type Suite struct {
	// Name of the suite: that of its file.
	Name string
	Spec v1alpha1.EnvironmentSpec
	// Beside are objects that every namespace of the suite needs, such as a service account.
	Beside  []map[string]any
	Objects []Object
}

// Environment returns the suite's Environment over some namespaces.
func (s Suite) Environment(namespaces ...string) *v1alpha1.Environment {
	environment := &v1alpha1.Environment{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: "Environment"},
		ObjectMeta: metav1.ObjectMeta{Name: Prefix + s.Name},
		Spec:       *s.Spec.DeepCopy(),
	}
	environment.Spec.Namespaces = namespaces
	environment.Spec.WorkloadKinds = []v1alpha1.WorkloadKind{declaredKind()}
	return environment
}

// file is a suite as it lies in testdata.
type file struct {
	// Environment holds enforcement and rules.
	Environment v1alpha1.EnvironmentSpec `json:"environment"`
	Beside      []map[string]any         `json:"beside"`
	// Base is a pod template that breaks none of the rules.
	Base json.RawMessage `json:"base"`
	// Cases by name.
	Cases map[string]testCase `json:"cases"`
}

// testCase is one way to keep or to break rules.
type testCase struct {
	// Kinds of the objects that are made of it; without any, all kinds.
	Kinds []string `json:"kinds"`
	// Template is a strategic merge patch of the base.
	Template json.RawMessage `json:"template"`
	// Object is a merge patch of the whole object.
	Object json.RawMessage `json:"object"`
	// With are objects beside it. They get its name, and point to it unless they say otherwise.
	With []map[string]any `json:"with"`
	// Want are the violations. A field is below the pod template unless it begins with a slash, which stands for
	// the object's root; the enforcement is Enforce unless said otherwise.
	Want []Expectation `json:"want"`
}

// Suites reads all suites, sorted by name.
func Suites() ([]Suite, error) {
	entries, err := testdata.ReadDir("testdata")
	if err != nil {
		return nil, fmt.Errorf("listing the suites: %w", err)
	}
	var suites []Suite
	for _, entry := range entries {
		suite, err := readSuite(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("reading suite %s: %w", entry.Name(), err)
		}
		suites = append(suites, suite)
	}
	return suites, nil
}

func readSuite(name string) (Suite, error) {
	raw, err := testdata.ReadFile(path.Join("testdata", name))
	if err != nil {
		return Suite{}, err
	}
	var read file
	if err := yaml.UnmarshalStrict(raw, &read); err != nil {
		return Suite{}, err
	}
	suite := Suite{Name: strings.TrimSuffix(name, ".yaml"), Spec: read.Environment, Beside: read.Beside}
	for _, key := range slices.Sorted(maps.Keys(read.Cases)) {
		objects, err := expand(key, read.Base, read.Cases[key])
		if err != nil {
			return Suite{}, fmt.Errorf("case %s: %w", key, err)
		}
		suite.Objects = append(suite.Objects, objects...)
	}
	return suite, nil
}

// expand makes an object of each kind from a case.
func expand(name string, base json.RawMessage, c testCase) ([]Object, error) {
	template, err := patchTemplate(base, c.Template)
	if err != nil {
		return nil, err
	}
	for _, kind := range c.Kinds {
		if !slices.ContainsFunc(Kinds(), func(k Kind) bool { return k.Kind == kind }) {
			return nil, fmt.Errorf("there is no kind %q", kind)
		}
	}
	var objects []Object
	for _, kind := range Kinds() {
		if len(c.Kinds) > 0 && !slices.Contains(c.Kinds, kind.Kind) {
			continue
		}
		object := Object{Name: name + "-" + kind.Short, Kind: kind}
		if object.Content, err = kind.object(object.Name, template, c.Object); err != nil {
			return nil, fmt.Errorf("making a %s: %w", kind.Kind, err)
		}
		for _, with := range c.With {
			object.With = append(object.With, kind.beside(object.Name, with))
		}
		for _, want := range c.Want {
			object.Want = append(object.Want, kind.expectation(want))
		}
		slices.SortFunc(object.Want, Expectation.Compare)
		objects = append(objects, object)
	}
	return objects, nil
}
