package check

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
	"github.com/runeframeos/kubectl-rune/pkg/cli/verify/registries"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

// world is what manifests are judged by: environments, and what stands around the workloads.
type world struct {
	compiler *policy.Compiler
	// loader is nil where nothing asks for it; its schemas take a moment to compile.
	loader *files.Loader
	// objects is nil where no manifest asks for it, likewise.
	objects *files.Objects
	member  *membership
	// chosen by --environment; nil where each namespace's counts.
	chosen *v1alpha1.Environment
	// around are the Surroundings by namespace.
	around map[string]*policy.Surroundings
	// rulesets by environment.
	rulesets map[string]*policy.Ruleset
	// images are nil where signatures are not verified.
	images *registries.Facts
}

func (o *Options) newWorld(ctx context.Context, set *manifest.Set) (*world, error) {
	w := &world{around: map[string]*policy.Surroundings{}, rulesets: map[string]*policy.Ruleset{}}
	var err error
	if w.compiler, err = policy.NewCompiler(); err != nil {
		return nil, err
	}
	if o.connection == nil || slices.ContainsFunc(set.Objects, isConfiguration) {
		if w.loader, err = files.NewLoader(); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(set.Objects, isRunes) {
		if w.objects, err = files.NewObjects(); err != nil {
			return nil, err
		}
	}
	settings, err := o.settings(ctx, w.loader)
	if err != nil {
		return nil, err
	}
	environments := settings.Environments
	if o.VerifyImages {
		if w.images, err = registries.NewFacts(o.images, settings.ImagePolicies, o.Clock, o.connection != nil); err != nil {
			return nil, err
		}
	}
	if o.connection == nil {
		if err := w.compile(environments); err != nil {
			return nil, err
		}
	}
	if o.Environment != "" {
		if w.chosen, err = named(environments, o.Environment); err != nil {
			return nil, err
		}
	}
	w.member = &membership{environments: environments, labels: map[string][]map[string]string{}, known: map[string][]*v1alpha1.Environment{}}
	if o.connection != nil {
		w.member.live = liveLabels(o.connection)
	}
	for _, object := range set.Objects {
		w.look(object, o.namespaceOf(object))
	}
	return w, nil
}

// compile prepares all environments of files, so that a mistake is told whether or not a manifest meets it. Those of
// a cluster are prepared when they are needed: others' mistakes there are not the caller's to mend.
func (w *world) compile(environments []v1alpha1.Environment) error {
	var errs []error
	for i := range environments {
		if _, err := w.ruleset(&environments[i]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// look notes what an object says about others. One that cannot be decoded says nothing, and is reported as invalid.
func (w *world) look(object *manifest.Object, namespace string) {
	around := func() *policy.Surroundings {
		if w.around[namespace] == nil {
			w.around[namespace] = &policy.Surroundings{}
		}
		return w.around[namespace]
	}
	switch object.GroupKind() {
	case schema.GroupKind{Kind: "Namespace"}:
		var found corev1.Namespace
		if json.Unmarshal(object.JSON, &found) == nil {
			w.member.labels[found.Name] = append(w.member.labels[found.Name], found.Labels)
		}
	case schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}:
		var found policyv1.PodDisruptionBudget
		if json.Unmarshal(object.JSON, &found) == nil {
			found.Namespace = namespace
			around().PodDisruptionBudgets = append(around().PodDisruptionBudgets, found)
		}
	case schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}:
		// What is read of it, its target and its bounds, is the same in all versions.
		var found autoscalingv2.HorizontalPodAutoscaler
		if json.Unmarshal(object.JSON, &found) == nil {
			found.Namespace = namespace
			around().Autoscalers = append(around().Autoscalers, found)
		}
	}
}

// surroundings of the workloads in a namespace; never nil, since the manifests were searched.
func (w *world) surroundings(namespace string) *policy.Surroundings {
	if found := w.around[namespace]; found != nil {
		return found
	}
	return &policy.Surroundings{}
}

// covers tells whether an object holds pods by the rules of any environment.
func (w *world) covers(kind schema.GroupKind) bool {
	return policy.Covers(kind) || slices.ContainsFunc(w.member.environments, func(e v1alpha1.Environment) bool {
		return slices.ContainsFunc(e.Spec.WorkloadKinds, func(declared v1alpha1.WorkloadKind) bool {
			return declared.Group == kind.Group && declared.Kind == kind.Kind
		})
	})
}

// ruleset compiles an environment, once.
func (w *world) ruleset(environment *v1alpha1.Environment) (*policy.Ruleset, error) {
	if known := w.rulesets[environment.Name]; known != nil {
		return known, nil
	}
	made, err := w.compiler.Compile(environment)
	if err != nil {
		return nil, err
	}
	w.rulesets[environment.Name] = made
	return made, nil
}

// namespaceOf is where an object would be created.
func (o *Options) namespaceOf(object *manifest.Object) string {
	if object.Namespace != "" {
		return object.Namespace
	}
	return o.Namespace
}

// isConfiguration tells whether an object is one of Rune's own that files.Loader judges.
func isConfiguration(object *manifest.Object) bool {
	return object.APIVersion == v1alpha1.GroupVersion().String() &&
		(object.Kind == v1alpha1.KindEnvironment || object.Kind == v1alpha1.KindImagePolicy)
}

// isRunes tells whether an object is one of Rune's own that files.Objects judges.
func isRunes(object *manifest.Object) bool {
	return object.APIVersion == v1alpha1.GroupVersion().String() &&
		slices.Contains([]string{v1alpha1.KindExemption, v1alpha1.KindRelease, v1alpha1.KindApproval}, object.Kind)
}
