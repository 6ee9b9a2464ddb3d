package prewarm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Bounds of one pass.
const (
	// concurrency of images that are asked for at the same time: admission comes first.
	concurrency = 4
	// imageTimeout of asking about one image.
	imageTimeout = 30 * time.Second
	// maxImages of one pass, each once for each credentials with which it is pulled.
	maxImages = 10_000
	// pageSize of the lists of Pods.
	pageSize = 250
	// jitter keeps replicas from asking at the same time, as a share of the interval.
	jitter = 0.2
)

// DefaultInterval between passes. It is shorter than the time in which fresh evidence of the default age must be
// asked for to be renewed before its time is over.
const DefaultInterval = 10 * time.Minute

// Inspector asks about images; *admission.Inspector is one.
type Inspector interface {
	Facts(ctx context.Context, in admission.Inspection) (map[string]policy.ImageFact, error)
}

// Policies say what is wanted of images.
type Policies interface {
	// Environments returns all that can be read.
	Environments(ctx context.Context) ([]v1alpha1.Environment, error)
	// ImagePolicies returns those that name the environment.
	ImagePolicies(ctx context.Context, environment string) ([]*v1alpha1.ImagePolicy, error)
}

// Options of a Prewarmer; all but Interval are needed.
type Options struct {
	// Reader of Namespaces' metadata and Pods, not through a cache: all Pods of a cluster are too many to keep.
	Reader    client.Reader
	Policies  Policies
	Inspector Inspector
	// Started is closed when what was stored has been read, so that it need not be asked for.
	Started <-chan struct{}
	Clock   clock.Clock
	Log     logr.Logger
	// Interval between passes; DefaultInterval if zero.
	Interval time.Duration
}

// Prewarmer asks about the images of running pods. It is a manager.Runnable of every replica.
type Prewarmer struct{ Options }

// New returns a Prewarmer.
func New(options Options) *Prewarmer {
	if options.Interval <= 0 {
		options.Interval = DefaultInterval
	}
	return &Prewarmer{options}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: each replica has its own memory.
func (p *Prewarmer) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (p *Prewarmer) Start(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-p.Started:
	}
	for ctx.Err() == nil {
		p.pass(ctx)
		timer := p.Clock.NewTimer(wait.Jitter(p.Interval, jitter))
		select {
		case <-ctx.Done():
		case <-timer.C():
		}
		timer.Stop()
	}
	return nil
}

// summary of one pass.
type summary struct {
	images, verified, notVerified, unknown int
}

// pass asks about all images of running pods. What goes wrong is logged: the next pass tries again.
func (p *Prewarmer) pass(ctx context.Context) {
	began := p.Clock.Now()
	questions, err := p.questions(ctx)
	if err != nil && ctx.Err() == nil {
		p.Log.Error(err, "not all running images are asked about")
	}
	counted := p.ask(ctx, questions)
	if ctx.Err() != nil || counted.images == 0 {
		return
	}
	p.Log.Info("asked about running images", "images", counted.images, "verified", counted.verified,
		"notVerified", counted.notVerified, "unknown", counted.unknown, "took", p.Clock.Since(began).String())
}

// questions lists what runs where signatures are asked for. It returns what it found together with an error.
func (p *Prewarmer) questions(ctx context.Context) ([]admission.Inspection, error) {
	environments, err := p.Policies.Environments(ctx)
	if err != nil {
		return nil, err
	}
	wanted, err := p.wanted(ctx, environments)
	if err != nil {
		return nil, err
	}
	var found []admission.Inspection
	var problems []error
	seen := map[string]bool{}
	policies := map[string][]*v1alpha1.ImagePolicy{}
	for _, w := range wanted {
		if _, known := policies[w.environment]; !known {
			if policies[w.environment], err = p.Policies.ImagePolicies(ctx, w.environment); err != nil {
				problems = append(problems, fmt.Errorf("reading the ImagePolicies of Environment %q: %w", w.environment, err))
			}
		}
		if len(policies[w.environment]) == 0 {
			continue
		}
		err := p.eachPod(ctx, w.namespace, func(pod *corev1.Pod) {
			access := admission.AccessOf(pod.Namespace, &pod.Spec)
			subject := policy.Subject{Spec: pod.Spec}
			for _, slot := range subject.Images() {
				key := w.environment + " " + access.Key() + " " + slot.Image
				if seen[key] || len(found) == maxImages {
					continue
				}
				seen[key] = true
				found = append(found, admission.Inspection{
					Environment: w.environment, Policies: policies[w.environment],
					References: []string{slot.Image}, Access: access, Signatures: true,
				})
			}
		})
		if err != nil {
			problems = append(problems, err)
		}
	}
	return found, errors.Join(problems...)
}

// namespaceOf an Environment that asks for signatures.
type namespaceOf struct{ environment, namespace string }

func (p *Prewarmer) wanted(ctx context.Context, environments []v1alpha1.Environment) ([]namespaceOf, error) {
	asked := false
	for i := range environments {
		asked = asked || environments[i].Spec.Rules.Signatures != nil
	}
	if !asked {
		return nil, nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := p.Reader.List(ctx, list); err != nil {
		return nil, fmt.Errorf("listing Namespaces: %w", err)
	}
	var wanted []namespaceOf
	for i := range list.Items {
		namespace := &list.Items[i]
		owner := v1alpha1.Owner(environments, namespace.Name, namespace.Labels)
		if owner != nil && owner.Spec.Rules.Signatures != nil {
			wanted = append(wanted, namespaceOf{owner.Name, namespace.Name})
		}
	}
	return wanted, nil
}

// eachPod calls a function for each Pod that runs or will.
func (p *Prewarmer) eachPod(ctx context.Context, namespace string, do func(*corev1.Pod)) error {
	pods := &corev1.PodList{}
	for {
		err := p.Reader.List(ctx, pods, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(pods.Continue))
		if err != nil {
			return fmt.Errorf("listing Pods in namespace %q: %w", namespace, err)
		}
		for i := range pods.Items {
			if phase := pods.Items[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
				do(&pods.Items[i])
			}
		}
		if pods.Continue == "" {
			return nil
		}
	}
}

// ask asks some at a time and counts the answers.
func (p *Prewarmer) ask(ctx context.Context, questions []admission.Inspection) summary {
	facts := make([]policy.ImageFact, len(questions))
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i, question := range questions {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, imageTimeout)
			defer cancel()
			found, err := p.Inspector.Facts(ctx, question)
			if err != nil {
				p.Log.V(1).Info("not asked about a running image", "cause", err.Error())
			}
			facts[i] = found[question.References[0]]
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	counted := summary{images: len(questions)}
	for _, fact := range facts {
		switch fact.Signature {
		case policy.SignatureVerified:
			counted.verified++
		case policy.SignatureRejected, policy.SignatureNoImage, policy.SignatureNoPolicy:
			counted.notVerified++
		default:
			counted.unknown++
		}
	}
	return counted
}
