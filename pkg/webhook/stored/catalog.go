package stored

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Catalog keeps what was decoded for as long as the API server keeps the object's resourceVersion, so that
// whoever asks twice gets the same pointer. What it returns must not be changed. It is safe for concurrent use.
type Catalog struct {
	environments decoded[Environment]
	policies     decoded[imagePolicy]
}

// imagePolicy is one as it is stored.
type imagePolicy struct {
	v1alpha1.ImagePolicy
	// Err tells why the object cannot be read.
	Err error
	// names of environments, and whether these are all.
	names []string
	known bool
}

// NewCatalog returns one that holds nothing yet.
func NewCatalog() *Catalog {
	return &Catalog{
		environments: decoded[Environment]{byName: map[string]version[Environment]{}},
		policies:     decoded[imagePolicy]{byName: map[string]version[imagePolicy]{}},
	}
}

// Environment returns the Environment, an error for which apierrors.IsNotFound holds, or the error of an
// object that cannot be read.
func (c *Catalog) Environment(ctx context.Context, reader client.Reader, name string) (*v1alpha1.Environment, error) {
	object := Object(v1alpha1.KindEnvironment)
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, object, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	environment := c.environments.of(object, newEnvironment)
	if environment.Err != nil {
		return nil, environment.Err
	}
	return &environment.Environment, nil
}

// Environments returns all that there are, readable or not, sorted by name.
func (c *Catalog) Environments(ctx context.Context, reader client.Reader) ([]*Environment, error) {
	items := list(v1alpha1.KindEnvironment)
	if err := reader.List(ctx, items, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Environments: %w", err)
	}
	environments := make([]*Environment, len(items.Items))
	for i := range items.Items {
		environments[i] = c.environments.of(&items.Items[i], newEnvironment)
	}
	c.environments.keep(items.Items)
	slices.SortFunc(environments, func(a, b *Environment) int { return strings.Compare(a.Name, b.Name) })
	return environments, nil
}

// ImagePolicies returns those that name the environment. One that cannot be read is an error for the
// environments that it names, and for all where that cannot be read either: without it an image could
// seem to need less proof.
func (c *Catalog) ImagePolicies(ctx context.Context, reader client.Reader, environment string) ([]*v1alpha1.ImagePolicy, error) {
	items := list(v1alpha1.KindImagePolicy)
	if err := reader.List(ctx, items, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ImagePolicies: %w", err)
	}
	var naming []*v1alpha1.ImagePolicy
	for i := range items.Items {
		policy := c.policies.of(&items.Items[i], newImagePolicy)
		if policy.known && !slices.Contains(policy.names, environment) {
			continue
		}
		if policy.Err != nil {
			return nil, policy.Err
		}
		if slices.Contains(policy.Spec.Environments, environment) {
			naming = append(naming, &policy.ImagePolicy)
		}
	}
	c.policies.keep(items.Items)
	return naming, nil
}

func newImagePolicy(object *unstructured.Unstructured) imagePolicy {
	var policy imagePolicy
	policy.names, policy.known = stringsAt(object, "spec", "environments")
	policy.Err = decode(object, &policy.ImagePolicy)
	return policy
}

// decoded keeps one version of each object of a kind, by name: the kinds here are cluster-scoped.
type decoded[T any] struct {
	mu     sync.RWMutex
	byName map[string]version[T]
}

// version is one object as it was at a resourceVersion.
type version[T any] struct {
	uid             types.UID
	resourceVersion string
	value           *T
}

// of returns what was decoded of an object, decoding it if that was not done yet. Whether it can be
// decoded is part of the value, so that a broken object is not tried again for every request.
func (d *decoded[T]) of(object *unstructured.Unstructured, decode func(*unstructured.Unstructured) T) *T {
	name, uid, resourceVersion := object.GetName(), object.GetUID(), object.GetResourceVersion()
	d.mu.RLock()
	known, found := d.byName[name]
	d.mu.RUnlock()
	if found && known.uid == uid && known.resourceVersion == resourceVersion && resourceVersion != "" {
		return known.value
	}
	value := decode(object)
	d.mu.Lock()
	defer d.mu.Unlock()
	// Two requests may have decoded the same version at once: the first one's stays.
	if known, found := d.byName[name]; found && known.uid == uid && known.resourceVersion == resourceVersion && resourceVersion != "" {
		return known.value
	}
	d.byName[name] = version[T]{uid: uid, resourceVersion: resourceVersion, value: &value}
	return &value
}

// keep forgets what is not in a list of all, where that is at least half of what is kept: an object that
// a cache does not know yet may have been read live.
func (d *decoded[T]) keep(items []unstructured.Unstructured) {
	d.mu.RLock()
	crowded := len(d.byName) > 2*len(items)+16
	d.mu.RUnlock()
	if !crowded {
		return
	}
	names := map[string]bool{}
	for i := range items {
		names[items[i].GetName()] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.byName {
		if !names[name] {
			delete(d.byName, name)
		}
	}
}
