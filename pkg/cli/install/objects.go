package install

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/manifests"
)

// Name of the webhook's Deployment, Service, ServiceAccount and webhook configurations.
const Name = "rune-webhook"

// Repository of the webhook's released images.
const Repository = "ghcr.io/runeframeos/rune-webhook"

// container of the Deployment that gets the image.
const container = "webhook"

// Settings are what an installation may vary.
type Settings struct {
	// Image of the webhook; empty leaves the manifest's.
	Image string
	// Replicas of the webhook; 0 leaves the manifest's.
	Replicas int32
}

// Objects returns what an installation consists of, in the order in which it is applied: first what
// others need to exist.
func Objects(settings Settings) ([]*unstructured.Unstructured, error) {
	crds, err := manifests.CRDs()
	if err != nil {
		return nil, err
	}
	base, err := manifests.Base()
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, file := range slices.Concat(crds, base) {
		objects, err := decode(file)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	for _, object := range all {
		if object.GetKind() != "Deployment" {
			continue
		}
		if err := settings.apply(object); err != nil {
			return nil, fmt.Errorf("setting up Deployment %q: %w", object.GetName(), err)
		}
	}
	order := kinds()
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int {
		return slices.Index(order, a.GroupVersionKind()) - slices.Index(order, b.GroupVersionKind())
	})
	return all, nil
}

func decode(file manifests.File) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(file.Content)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		object := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.UnmarshalStrict(document, &object.Object)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the embedded %s: %w", file.Name, err)
		}
		if len(object.Object) == 0 {
			continue
		}
		if !slices.Contains(kinds(), object.GroupVersionKind()) {
			return nil, fmt.Errorf("reading the embedded %s: kind %s is not expected", file.Name, object.GroupVersionKind())
		}
		all = append(all, object)
	}
}

func (s Settings) apply(deployment *unstructured.Unstructured) error {
	if s.Replicas > 0 {
		if err := unstructured.SetNestedField(deployment.Object, int64(s.Replicas), "spec", "replicas"); err != nil {
			return err
		}
	}
	if s.Image == "" {
		return nil
	}
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(deployment.Object, path...)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if entry, ok := c.(map[string]any); ok && entry["name"] == container {
			entry["image"] = s.Image
			return unstructured.SetNestedSlice(deployment.Object, containers, path...)
		}
	}
	return fmt.Errorf("no container %q", container)
}

// kinds that an installation consists of, in the order of applying.
func kinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		{Version: "v1", Kind: "Namespace"},
		{Version: "v1", Kind: "ServiceAccount"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
		{Version: "v1", Kind: "Service"},
		{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		{Group: "apps", Version: "v1", Kind: "Deployment"},
	}
}

// ResourceOf returns the resource of an object of an installation. All of its kinds have regular
// plurals, so that nothing has to be discovered.
func ResourceOf(object *unstructured.Unstructured) schema.GroupVersionResource {
	plural, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	return plural
}

// TypeName returns how kubectl names an object: "deployment.apps/rune-webhook".
func TypeName(object *unstructured.Unstructured) string {
	_, singular := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	return singular.GroupResource().String() + "/" + object.GetName()
}

// tag is what a registry takes as a tag (OCI distribution specification, "Pulling manifests").
var tag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// imageOf returns the released image of a version.
func imageOf(version string) (string, error) {
	if !tag.MatchString(version) || version == "unknown" {
		return "", fmt.Errorf("no released image belongs to version %q of this program: name one with --image", version)
	}
	return Repository + ":" + version, nil
}
