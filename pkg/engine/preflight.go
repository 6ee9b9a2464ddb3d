package engine

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// nameAttempts bounds the search for a free name against others who request at the same time.
const nameAttempts = 5

// preflight asks everything that can be asked before anything changes.
type preflight struct {
	*Engine
	req  Request
	live *Deployment
	rel  *Release
}

func (p *preflight) run(ctx context.Context) (*Release, error) {
	if err := p.access(ctx); err != nil {
		return nil, err
	}
	if err := p.workload(ctx); err != nil {
		return nil, err
	}
	if err := p.inFlight(ctx); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		if err := p.draft(ctx); err != nil {
			return nil, err
		}
		if err := p.judge(ctx); err != nil {
			return nil, err
		}
		created, err := p.ports.Requests.CreateRelease(ctx, p.rel, Write{DryRun: p.req.DryRun})
		if apierrors.IsAlreadyExists(err) && attempt < nameAttempts {
			continue
		}
		if err != nil {
			if d := denial("release/"+p.rel.Name, err); d != nil {
				return nil, d
			}
			return nil, fmt.Errorf("creating release %q: %w", p.rel.Name, err)
		}
		return created, nil
	}
}

func (p *preflight) access(ctx context.Context) error {
	missing, err := p.ports.Access.Missing(ctx, Rights(p.req))
	if err != nil {
		return fmt.Errorf("asking the API server for the caller's rights: %w", err)
	}
	installed, err := p.ports.Access.Installed(ctx)
	if err != nil {
		return fmt.Errorf("asking the API server for Rune's kinds: %w", err)
	}
	if !installed {
		return &NotInstalledError{}
	}
	if len(missing) > 0 {
		return &RightsError{Missing: missing}
	}
	return nil
}

// Rights returns what a caller must be allowed to do for a request and its release.
func Rights(req Request) []Right {
	var rights []Right
	add := func(group, resource, subresource, name string, verbs ...string) {
		for _, verb := range verbs {
			rights = append(rights, Right{Verb: verb, Group: group, Resource: resource, Subresource: subresource, Name: name, Namespace: req.Namespace})
		}
	}
	add("apps", "deployments", "", req.Workload, "get")
	if req.Strategy == v1alpha1.StrategyCreate {
		add("apps", "deployments", "", "", "create", "delete")
	}
	add("apps", "deployments", "", req.Workload, "patch")
	if req.Strategy == v1alpha1.StrategyCanary {
		add("apps", "deployments", "", "", "create", "patch", "delete")
	}
	add("apps", "replicasets", "", "", "list")
	if req.Strategy == v1alpha1.StrategyCanary {
		add("apps", "replicasets", "", "", "delete")
	}
	add("", "pods", "", "", "list")
	add(v1alpha1.GroupName, "releases", "", "", "create", "get", "list")
	add(v1alpha1.GroupName, "releases", "status", "", "patch")
	add("coordination.k8s.io", "leases", "", "", "create", "get", "update", "delete")
	if len(req.Delivery.SmokeTests) > 0 {
		add("", "services", "", "", "create", "get", "delete")
		add("", "services", "proxy", "", "get")
	}
	return rights
}

func (p *preflight) workload(ctx context.Context) error {
	name := p.req.Workload
	live, err := p.ports.Workloads.GetDeployment(ctx, p.req.Namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		if p.req.Strategy == v1alpha1.StrategyCreate {
			return nil
		}
		return &WorkloadError{Name: name, Message: fmt.Sprintf("does not exist in namespace %q: see kubectl get deployments -n %s", p.req.Namespace, p.req.Namespace)}
	case err != nil:
		return fmt.Errorf("reading Deployment %q: %w", name, err)
	case p.req.Strategy == v1alpha1.StrategyCreate:
		return &WorkloadError{Name: name, Message: "exists already"}
	}
	p.live = live
	// A release in flight is named by inFlight, which tells more than "is paused".
	return nil
}

func (p *preflight) inFlight(ctx context.Context) error {
	releases, err := p.ports.Requests.ListReleases(ctx, p.req.Namespace, p.req.Workload)
	if err != nil {
		return fmt.Errorf("listing the releases of Deployment %q: %w", p.req.Workload, err)
	}
	for i := range releases {
		if !releases[i].Ended() {
			return &InFlightError{Release: &releases[i]}
		}
	}
	return p.steady()
}

// steady refuses to begin in the middle of another change: pausing there would keep both ReplicaSets.
func (p *preflight) steady() error {
	if p.live == nil {
		return nil
	}
	name := p.req.Workload
	if p.live.Spec.Paused {
		return &WorkloadError{Name: name, Message: fmt.Sprintf("is paused: run kubectl rollout resume %s first", deploymentArgument(p.req.Namespace, name))}
	}
	if p.req.Strategy != v1alpha1.StrategyCanary {
		// A broken rollout must not block the way out of it.
		return nil
	}
	if p.live.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return &WorkloadError{Name: name, Message: "has spec.strategy.type Recreate, but a canary runs old and new pods side by side: " +
			"set it to RollingUpdate if they may, or promote in an environment whose delivery has strategy: Rolling"}
	}
	if done, why := release.Complete(&p.live.Deployment); !done {
		return &WorkloadError{Name: name, Message: fmt.Sprintf("is in the middle of a rollout (%s): see kubectl rollout status %s", why, deploymentArgument(p.req.Namespace, name))}
	}
	if release.Replicas(&p.live.Deployment) == 0 {
		return &WorkloadError{Name: name, Message: "has 0 replicas, so that a canary would show nothing: scale it up, or change it without a canary"}
	}
	return nil
}

// draft makes the Release under the next free name.
func (p *preflight) draft(ctx context.Context) error {
	taken, err := p.ports.Requests.TakenNames(ctx, p.req.Namespace, release.NamePrefix(p.req.Workload))
	if err != nil {
		return fmt.Errorf("choosing a name for the release: %w", err)
	}
	delivery := *p.req.Delivery.DeepCopy()
	if p.req.Strategy != v1alpha1.StrategyCreate {
		delivery.Strategy = p.req.Strategy
	}
	if p.req.Strategy != v1alpha1.StrategyCanary {
		delivery.Canary = nil
	}
	if delivery.Deadline == nil {
		delivery.Deadline = &metav1.Duration{Duration: release.DefaultDeadline}
	}
	p.rel = &Release{Release: v1alpha1.Release{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindRelease},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.req.Namespace,
			Name:      release.NextName(p.req.Workload, taken),
			Labels:    map[string]string{v1alpha1.LabelWorkload: p.req.Workload},
		},
		Spec: v1alpha1.ReleaseSpec{
			Action:      p.req.Action,
			Environment: p.req.Environment,
			Workload:    v1alpha1.WorkloadReference{Kind: "Deployment", Name: p.req.Workload},
			Strategy:    p.req.Strategy,
			Delivery:    delivery,
			Reason:      p.req.Reason,
		},
	}}
	if p.live != nil {
		p.rel.Spec.Workload.UID = p.live.UID
		p.rel.Spec.From = p.live.Template.Typed.DeepCopy()
		p.rel.From = p.live.Template
	}
	return nil
}

// judge lets the API server and its admission judge every object that the release will write.
func (p *preflight) judge(ctx context.Context) error {
	to, err := p.dryRun(ctx, nil)
	if err != nil {
		return err
	}
	if p.runs(to) {
		return &SameTemplateError{Name: p.req.Workload}
	}
	pod, err := p.tryPod(ctx, to)
	if err != nil {
		return err
	}
	if to, err = p.pin(ctx, to, pod); err != nil {
		return err
	}
	if p.runs(to) {
		return &SameTemplateError{Name: p.req.Workload}
	}
	p.rel.To, p.rel.Spec.To = to, to.Typed
	if _, err := release.PreviewPorts(p.rel.Spec.Delivery.SmokeTests, &p.rel.Spec.To); err != nil {
		return err
	}
	if p.req.Strategy == v1alpha1.StrategyCanary {
		canary := &Deployment{Deployment: *release.CanaryDeployment(&p.rel.Release, &p.live.Deployment), Template: to}
		// At the size that it will have in the end: it starts with no pods, which an environment may refuse, and only
		// the Release, which there is not yet, proves why.
		canary.Spec.Replicas = ptr.To(release.Replicas(&p.live.Deployment))
		// The Release has no UID yet, and an owner without one is invalid.
		canary.OwnerReferences = nil
		if _, err := p.ports.Workloads.CreateDeployment(ctx, canary, Write{DryRun: true}); err != nil {
			return p.refused("deployment/"+canary.Name, err)
		}
	}
	return nil
}

func (p *preflight) runs(to release.Template) bool {
	return p.live != nil && to.Hash == p.live.Template.Hash
}

// tryPod returns the Pod that the API server would make; nil where the caller may not ask it.
func (p *preflight) tryPod(ctx context.Context, to release.Template) (*corev1.Pod, error) {
	name := p.rel.Name + "-trial"
	missing, err := p.ports.Access.Missing(ctx, []Right{{Verb: "create", Resource: "pods", Namespace: p.req.Namespace}})
	if err != nil {
		return nil, fmt.Errorf("asking the API server for the caller's rights: %w", err)
	}
	if len(missing) > 0 {
		p.opts.OnEvent(Event{Type: EventWarning, Time: p.opts.Clock.Now(), Release: p.rel.Name,
			Message: fmt.Sprintf("pods were not tried beforehand: you cannot %s", missing[0])})
		return nil, nil //nolint:nilnil // no pod is a normal answer here
	}
	pod, err := p.ports.Children.TryPod(ctx, p.req.Namespace, name, to)
	if err != nil {
		return nil, p.refused("pod of deployment/"+p.req.Workload, err)
	}
	return pod, nil
}

// dryRun returns the wanted template as the API server defaults and mutates it: the one that the
// request asks for, or the one that is given.
func (p *preflight) dryRun(ctx context.Context, given *release.Template) (release.Template, error) {
	object := "deployment/" + p.req.Workload
	if p.req.Strategy == v1alpha1.StrategyCreate {
		return p.created(ctx, object, given)
	}
	change := Change{Template: p.req.Template, Annotation: &p.rel.Name}
	if given != nil {
		change.Template = given
	}
	if change.Template == nil {
		edit, err := p.edit()
		if err != nil {
			return release.Template{}, err
		}
		change.Edit = edit
	}
	answer, err := p.ports.Workloads.PatchDeployment(ctx, p.live, change, Write{DryRun: true})
	if apierrors.IsConflict(err) {
		return release.Template{}, &WorkloadError{Name: p.req.Workload, Message: "was changed by another hand just now: run the command again"}
	}
	if err != nil {
		return release.Template{}, p.refused(object, err)
	}
	return answer.Template, nil
}

func (p *preflight) created(ctx context.Context, object string, given *release.Template) (release.Template, error) {
	p.rel.Spec.Manifest = &runtime.RawExtension{Raw: p.req.Manifest}
	template, err := manifestTemplate(p.req.Manifest)
	if err != nil {
		return release.Template{}, err
	}
	if given != nil {
		template = *given
	}
	p.rel.Spec.To = template.Typed
	workload, err := release.WorkloadFrom(&p.rel.Release)
	if err != nil {
		return release.Template{}, err
	}
	workload.OwnerReferences = nil
	answer, err := p.ports.Workloads.CreateDeployment(ctx, &Deployment{Deployment: *workload, Template: template}, Write{DryRun: true})
	if err != nil {
		return release.Template{}, p.refused(object, err)
	}
	return answer.Template, nil
}

func manifestTemplate(manifest []byte) (release.Template, error) {
	var d struct {
		Spec struct {
			Template json.RawMessage `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(manifest, &d); err != nil {
		return release.Template{}, fmt.Errorf("decoding the manifest: %w", err)
	}
	if len(d.Spec.Template) == 0 {
		return release.Template{}, fmt.Errorf("reading the manifest: spec.template is missing")
	}
	return release.ParseTemplate(d.Spec.Template)
}

// edit turns the caller's change of the typed template into a patch that leaves unknown fields alone.
func (p *preflight) edit() (json.RawMessage, error) {
	if p.req.Edit == nil {
		return nil, fmt.Errorf("changing Deployment %q: neither an edit nor a template is given", p.req.Workload)
	}
	after := p.live.Template.Typed.DeepCopy()
	if err := p.req.Edit(after); err != nil {
		return nil, err
	}
	before, err := json.Marshal(p.live.Template.Typed)
	if err != nil {
		return nil, fmt.Errorf("encoding the template of Deployment %q: %w", p.req.Workload, err)
	}
	wanted, err := json.Marshal(after)
	if err != nil {
		return nil, fmt.Errorf("encoding the template of Deployment %q: %w", p.req.Workload, err)
	}
	diff, err := strategicpatch.CreateTwoWayMergePatch(before, wanted, corev1.PodTemplateSpec{})
	if err != nil {
		return nil, fmt.Errorf("comparing the templates of Deployment %q: %w", p.req.Workload, err)
	}
	return json.RawMessage(fmt.Appendf(nil, `{"spec":{"template":%s}}`, diff)), nil
}

func (p *preflight) refused(object string, err error) error {
	if d := denial(object, err); d != nil {
		return d
	}
	return fmt.Errorf("dry-running %s: %w", object, err)
}
