//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/test/corpus"
)

// specimen is one object of the corpus in its suite.
type specimen struct {
	suite  corpus.Suite
	object corpus.Object
}

// arriving is the namespace in which a specimen asks to be created.
func (s specimen) arriving() string { return corpus.Prefix + s.suite.Name }

// living is the namespace in which it runs.
func (s specimen) living() string { return corpus.Prefix + s.suite.Name + "-live" }

func (s specimen) String() string { return s.suite.Name + "/" + s.object.Name }

// found are the violations that a door sees, by the specimen's String.
type found map[string][]corpus.Expectation

// TestControlPlaneCorpus: admission on a real API server, `kubectl rune check` and `kubectl rune audit` judge every
// object of the corpus alike, and as expected.
func TestControlPlaneCorpus(t *testing.T) {
	h := shared
	h.crds(t)
	h.process(t)
	h.fleets(t)
	specimens := readCorpus(t)
	suites := suitesOf(specimens)
	h.surround(t, specimens, suites)

	started := time.Now()
	lap := func(what string) {
		t.Logf("%-45s %s", what, time.Since(started).Round(time.Millisecond))
		started = time.Now()
	}
	var lenient, strict []*v1alpha1.Environment
	for _, suite := range suites {
		h.remove(t, "environment", corpus.Prefix+suite.Name)
		lenient = append(lenient, recording(suite.Environment(corpus.Prefix+suite.Name+"-live")))
		strict = append(strict, suite.Environment(corpus.Prefix+suite.Name, corpus.Prefix+suite.Name+"-live"))
	}
	h.environments(t, lenient...)
	lap("Environments that only record")
	h.settle(t, specimens)
	lap("objects created while rules only record")
	h.environments(t, strict...)
	lap("Environments as they are")

	doors := map[string]found{"admission": h.admission(t, specimens)}
	lap("admission")
	doors["check"] = h.check(t, specimens, suites)
	lap("check")
	doors["audit"] = h.audit(t, specimens)
	lap("audit")
	compare(t, specimens, doors)
	t.Logf("%d objects, %d doors", len(specimens), len(doors))
}

// compare holds every door's verdict on every object against what is expected, which makes them equal too.
func compare(t *testing.T, specimens []specimen, doors map[string]found) {
	t.Helper()
	for _, s := range specimens {
		for door, verdicts := range doors {
			got, judged := verdicts[s.String()]
			if !judged {
				t.Errorf("%s: %s has no verdict", s, door)
				continue
			}
			slices.SortFunc(got, corpus.Expectation.Compare)
			if diff := cmp.Diff(s.object.Want, got); diff != "" && len(got)+len(s.object.Want) > 0 {
				t.Errorf("%s: %s (-want +got):\n%s", s, door, diff)
			}
		}
	}
}

// readCorpus returns all objects of the corpus.
func readCorpus(t *testing.T) []specimen {
	t.Helper()
	suites, err := corpus.Suites()
	if err != nil {
		t.Fatal(err)
	}
	var specimens []specimen
	for _, suite := range suites {
		for _, object := range suite.Objects {
			specimens = append(specimens, specimen{suite, object})
		}
	}
	return specimens
}

// suitesOf returns the suites of objects that stand together, each once.
func suitesOf(specimens []specimen) []corpus.Suite {
	var suites []corpus.Suite
	for _, s := range specimens {
		if len(suites) == 0 || suites[len(suites)-1].Name != s.suite.Name {
			suites = append(suites, s.suite)
		}
	}
	return suites
}

// recording makes an Environment's rules stop nothing.
func recording(environment *v1alpha1.Environment) *v1alpha1.Environment {
	environment.Spec.Enforcement = v1alpha1.EnforcementAudit
	rules := &environment.Spec.Rules
	for i := range rules.Custom {
		rules.Custom[i].Enforcement = ""
	}
	if rules.PodSecurity != nil {
		rules.PodSecurity.Enforcement = ""
	}
	if rules.Resources != nil {
		rules.Resources.Enforcement = ""
	}
	return environment
}

// fleets installs the kind that the corpus's Environments declare.
func (h *harness) fleets(t *testing.T) {
	t.Helper()
	definition := corpus.Definition()
	resource := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	client := h.dynamic(t, "admin").Resource(resource)
	options := metav1.ApplyOptions{FieldManager: "e2e", Force: true}
	if _, err := client.Apply(t.Context(), definition.GetName(), definition, options); err != nil {
		t.Fatal(err)
	}
	h.remove(t, "crd", definition.GetName())
	h.kubectl(t, "admin", "wait", "--for=condition=Established", "crd/"+definition.GetName(), "--timeout=60s").want(t, 0)
}

// surround makes the namespaces of the suites and what stands beside their objects.
func (h *harness) surround(t *testing.T, specimens []specimen, suites []corpus.Suite) {
	t.Helper()
	wanted := map[string]map[string]string{}
	var beside []*unstructured.Unstructured
	for _, suite := range suites {
		for _, namespace := range []string{corpus.Prefix + suite.Name, corpus.Prefix + suite.Name + "-live"} {
			wanted[namespace] = nil
			for _, content := range suite.Beside {
				object := (&unstructured.Unstructured{Object: content}).DeepCopy()
				object.SetNamespace(namespace)
				beside = append(beside, object)
			}
		}
	}
	for _, s := range specimens {
		for _, namespace := range []string{s.arriving(), s.living()} {
			_, with := s.object.In(namespace)
			beside = append(beside, with...)
		}
	}
	h.namespaces(t, wanted)
	client := h.dynamic(t, "admin")
	each(beside, func(object *unstructured.Unstructured) {
		resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
		if a := create(t, client, resource, object, metav1.CreateOptions{}); a.err != nil {
			t.Errorf("creating %s %s: %v", object.GetKind(), object.GetName(), a.err)
		}
	})
}

// settle creates the objects where they live. All of them are valid for the API server.
func (h *harness) settle(t *testing.T, specimens []specimen) {
	t.Helper()
	client := h.dynamic(t, "admin")
	each(specimens, func(s specimen) {
		object, _ := s.object.In(s.living())
		if a := create(t, client, s.object.Kind.GVR(), object, metav1.CreateOptions{}); a.err != nil {
			t.Errorf("%s: creating it: %v", s, a.err)
		}
	})
}
