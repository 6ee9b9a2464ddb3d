//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	imageref "github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// signing is an environment that asks for signatures, which is also its namespace, and a registry.
type signing struct {
	*harness
	*registry.Registry
	environment string
	client      dynamic.Interface

	// release and security are trusted by the policies that name them, stranger by none.
	release, security, stranger *registry.Key
}

// signing prepares a registry and keys; enforce makes the environment.
func (h *harness) signing(t *testing.T, environment string, options registry.Options) *signing {
	t.Helper()
	h.crds(t)
	r, err := registry.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &signing{harness: h, Registry: r, environment: environment, client: h.dynamic(t, "admin")}
	for _, key := range []**registry.Key{&s.release, &s.security, &s.stranger} {
		if *key, err = registry.NewKey(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// enforce makes the namespace and the environment with its policies, and waits until a webhook serves it.
func (s *signing) enforce(t *testing.T, policies ...*v1alpha1.ImagePolicy) {
	t.Helper()
	s.harness.namespaces(t, map[string]map[string]string{s.environment: nil})
	for _, policy := range policies {
		s.remove(t, "imagepolicy", policy.Name)
		s.apply(t, "admin", "default", manifest(t, policy)).want(t, 0)
	}
	s.remove(t, "environment", s.environment)
	s.apply(t, "admin", "default", fmt.Sprintf(`
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: %[1]s}
spec:
  namespaces: [%[1]s]
  rules:
    images: {pin: Pods}
    signatures: {}
`, s.environment)).want(t, 0)
	s.kubectl(t, "admin", "wait", "--for=condition=Enforced", "--timeout=90s", "environment/"+s.environment).want(t, 0)
}

// manifest encodes an object as a file for kubectl.
func manifest(t *testing.T, object any) string {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// policy is an ImagePolicy over the repositories below a folder of the registry. Any of the keys suffices.
func (s *signing) policy(folder string, keys ...*registry.Key) *v1alpha1.ImagePolicy {
	policy := &v1alpha1.ImagePolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupName + "/" + v1alpha1.Version, Kind: v1alpha1.KindImagePolicy},
		ObjectMeta: metav1.ObjectMeta{Name: s.environment + "-" + folder},
		Spec:       v1alpha1.ImagePolicySpec{Images: []string{s.Host() + "/" + folder + "/*"}, Environments: []string{s.environment}},
	}
	for i, key := range keys {
		policy.Spec.Authorities = append(policy.Spec.Authorities, v1alpha1.Authority{
			Name: []string{"release", "security"}[i], Key: &v1alpha1.KeyAuthority{Data: key.PEM},
		})
	}
	return policy
}

// push puts an image into the registry.
func (s *signing) push(t *testing.T, repository, tag string) imageref.Reference {
	t.Helper()
	ref, err := s.Push(repository, tag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// signed puts an image into the registry and signs it under the tag sha256-DIGEST.sig.
func (s *signing) signed(t *testing.T, repository, tag string) imageref.Reference {
	t.Helper()
	ref := s.push(t, repository, tag)
	must(t, s.Sign(ref, s.release))
	return ref
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tagged names an image by its tag, digested by its digest.
func tagged(ref imageref.Reference) string   { return ref.Name() + ":" + ref.Tag }
func digested(ref imageref.Reference) string { return ref.Name() + "@" + ref.Digest }

// running is a container of an image in YAML's short form.
func running(image string) string { return fmt.Sprintf("{name: app, image: %q}", image) }

// runs is the specification of a Pod with one container.
func runs(image string) string { return "containers: [" + running(image) + "]" }

// try asks the API server to create a Pod of a specification, and stores nothing.
func (s *signing) try(t *testing.T, spec string) answer {
	t.Helper()
	pod := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(podOf("tried", spec)), &pod.Object); err != nil {
		t.Fatal(err)
	}
	pod.SetNamespace(s.environment)
	return create(t, s.client, core("pods"), pod, dryRun())
}

// admitted fails the test unless a Pod would be created, and returns its image.
func (s *signing) admitted(t *testing.T, spec string) string {
	t.Helper()
	a := s.try(t, spec)
	if a.err != nil {
		t.Fatalf("a Pod with %s: %v", spec, a.err)
	}
	return podImage(t, a)
}

func podImage(t *testing.T, a answer) string {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(a.object.Object, "spec", "containers")
	if err != nil || len(containers) == 0 {
		t.Fatalf("a Pod without containers: %v", err)
	}
	image, _, err := unstructured.NestedString(containers[0].(map[string]any), "image")
	must(t, err)
	return image
}

// refused fails the test unless a Pod would be refused by the rule signatures, in words.
func (s *signing) refused(t *testing.T, spec string, words ...string) {
	t.Helper()
	s.refusal(t, s.try(t, spec), words...)
}

func (s *signing) refusal(t *testing.T, a answer, words ...string) {
	t.Helper()
	if a.err == nil {
		t.Fatal("it was admitted")
	}
	if !slices.ContainsFunc(a.causes(), func(c metav1.StatusCause) bool { return c.Type == metav1.CauseType("signatures") }) {
		t.Errorf("it was not refused by the rule signatures: %v", a.err)
	}
	for _, word := range words {
		if !strings.Contains(a.err.Error(), word) {
			t.Errorf("the refusal lacks %q: %v", word, a.err)
		}
	}
}

// known waits until the webhook has heard of a policy: until it admits what satisfies it.
func (s *signing) known(t *testing.T, ref imageref.Reference) {
	t.Helper()
	eventually(t, "the first Pod of "+ref.Name(), func() string {
		if a := s.try(t, runs(digested(ref))); a.err != nil {
			return a.err.Error()
		}
		return ""
	})
}
