package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// signedEnvironment is the Environment that asks for signatures, in a namespace of its own. All else in it is
// as in the other one.
const (
	signedEnvironment = "bench-signed"
	signedNamespace   = "shop-signed"
	signedPath        = "/validate/" + signedEnvironment
)

// Folders of the registry. Each has an ImagePolicy: one that names the format of tags, one that names that of
// bundles, and one that leaves it to be found out.
const (
	tagFolder    = "tag"
	bundleFolder = "bundle"
	eitherFolder = "either"
)

// world is a registry with signed images under ImagePolicies.
type world struct {
	registry *registry.Registry
	key      *registry.Key
	policies map[string]*v1alpha1.ImagePolicy // by folder
	// number of images, so that none is like another.
	number int
}

func newWorld(ctx context.Context) (*world, error) {
	w := &world{policies: map[string]*v1alpha1.ImagePolicy{}}
	var err error
	if w.registry, err = registry.Start(ctx, registry.Options{Referrers: true}); err != nil {
		return nil, err
	}
	if w.key, err = registry.NewKey(); err != nil {
		return nil, errors.Join(err, w.registry.Close())
	}
	for folder, formats := range map[string][]v1alpha1.SignatureFormat{
		tagFolder: {v1alpha1.FormatTag}, bundleFolder: {v1alpha1.FormatBundle}, eitherFolder: nil,
	} {
		w.policies[folder] = &v1alpha1.ImagePolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupName + "/" + v1alpha1.Version, Kind: v1alpha1.KindImagePolicy},
			ObjectMeta: metav1.ObjectMeta{Name: folder},
			Spec: v1alpha1.ImagePolicySpec{
				Images: []string{w.registry.Host() + "/" + folder + "/**"}, Environments: []string{signedEnvironment}, Formats: formats,
				Authorities: []v1alpha1.Authority{{Name: "release", Key: &v1alpha1.KeyAuthority{Data: w.key.PEM}}},
			},
		}
	}
	return w, nil
}

// image puts a new image into a new repository of a folder and signs it in that folder's format.
func (w *world) image(folder string) (image.Reference, error) {
	w.number++
	return w.imageIn(folder, fmt.Sprintf("%s/app-%d", folder, w.number))
}

// imageIn puts a new image into a repository.
func (w *world) imageIn(folder, repository string) (image.Reference, error) {
	ref, err := w.registry.Push(repository, "v1")
	if err != nil {
		return image.Reference{}, err
	}
	if folder == bundleFolder {
		return ref, w.registry.SignBundle(ref, w.key)
	}
	return ref, w.registry.Sign(ref, w.key)
}

// review asks for a Pod with signed images.
func (w *world) review(refs ...image.Reference) (*review, error) {
	pod, err := newPod(len(refs))
	if err != nil {
		return nil, err
	}
	pod.Namespace = signedNamespace
	for i, ref := range refs {
		pod.Spec.Containers[i].Image = ref.Name() + "@" + ref.Digest
	}
	return newReview(pod)
}

// images puts new images into as many new repositories.
func (w *world) images(folder string, count int) ([]image.Reference, error) {
	refs := make([]image.Reference, count)
	for i := range refs {
		var err error
		if refs[i], err = w.image(folder); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// siblings puts a further image into the repository of each.
func (w *world) siblings(folder string, refs []image.Reference) ([]image.Reference, error) {
	others := make([]image.Reference, len(refs))
	for i, ref := range refs {
		var err error
		if others[i], err = w.imageIn(folder, ref.Repository); err != nil {
			return nil, err
		}
	}
	return others, nil
}

// writeRules writes the Environment of a directory twice: as it is, and with signatures. Both allow the
// registry's images, so that what differs is that one rule.
func (w *world) writeRules(from, to string) error {
	content, err := os.ReadFile(filepath.Join(from, "environment.yaml"))
	if err != nil {
		return fmt.Errorf("reading the rules: %w", err)
	}
	environment := &v1alpha1.Environment{}
	if err := yaml.UnmarshalStrict(content, environment); err != nil {
		return fmt.Errorf("reading the rules: %w", err)
	}
	environment.Spec.Rules.Images.Registries = append(environment.Spec.Rules.Images.Registries, w.registry.Host()+"/**")
	signed := environment.DeepCopy()
	signed.Name, signed.Spec.Namespaces = signedEnvironment, []string{signedNamespace}
	signed.Spec.Rules.Signatures = &v1alpha1.SignatureRules{}
	objects := map[string]any{"plain": environment, "signed": signed}
	for folder, policy := range w.policies {
		objects["policy-"+folder] = policy
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	for name, object := range objects {
		raw, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("encoding the rules: %w", err)
		}
		if err := os.WriteFile(filepath.Join(to, name+".yaml"), raw, 0o600); err != nil {
			return fmt.Errorf("writing the rules: %w", err)
		}
	}
	return nil
}

// runSignatures measures all that signatures cost.
func runSignatures(ctx context.Context, o options, directory string, out io.Writer) (err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.registry.Close()) }()
	rules := filepath.Join(directory, "rules")
	if err := w.writeRules(o.rules, rules); err != nil {
		return err
	}
	o.rules = rules
	floor, rune, err := o.servers(directory)
	if err != nil {
		return err
	}
	for _, s := range []*server{floor, rune} {
		if err := s.start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
	}
	l := &load{concurrency: o.concurrency}
	if err := refuses(ctx, l, w, rune); err != nil {
		return err
	}
	for _, measure := range []func(context.Context, *bench) error{measureWarm, measureCold, measureFar, measureMemory} {
		if err := measure(ctx, &bench{options: o, load: l, world: w, floor: floor, rune: rune, out: out}); err != nil {
			return err
		}
	}
	return nil
}

// bench is what the measurements of signatures share.
type bench struct {
	options
	load        *load
	world       *world
	floor, rune *server
	out         io.Writer
}

// errNotRefused says that what is measured is no verification.
var errNotRefused = errors.New("an image that nobody signed was admitted")

// refuses makes sure that signatures are verified at all.
func refuses(ctx context.Context, l *load, w *world, rune *server) error {
	ref, err := w.registry.Push(eitherFolder+"/unsigned", "v1")
	if err != nil {
		return err
	}
	r, err := w.review(ref)
	if err != nil {
		return err
	}
	response, err := l.decide(ctx, rune, signedPath, r)
	if err != nil {
		return fmt.Errorf("asking about an unsigned image: %w", err)
	}
	if response.Allowed {
		return errNotRefused
	}
	return nil
}
