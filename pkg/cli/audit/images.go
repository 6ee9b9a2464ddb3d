package audit

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/configuration"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/cli/verify/registries"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

// maxConcurrentObjects whose images are asked about at the same time.
const maxConcurrentObjects = 8

// verifyImages lets an auditor ask registries, where a target asks for signatures. Where the ImagePolicies may not be
// read that is noted, and signatures are left to admission.
func (o *Options) verifyImages(ctx context.Context, a *auditor, targets []target) error {
	asked := slices.ContainsFunc(targets, func(t target) bool { return t.environment.Spec.Rules.Signatures != nil })
	if o.images == nil || !asked {
		return nil
	}
	policies, err := o.imagePolicies(ctx)
	if apierrors.IsForbidden(err) {
		a.problems = append(a.problems, report.Problem{
			Source:  report.Source{File: "imagepolicies"},
			Message: "you may not list imagepolicies." + v1alpha1.GroupName + ", by which signatures are judged: ask for that right, or leave signatures out with --verify-images=false",
		})
		return nil
	}
	if err != nil {
		return err
	}
	a.images, err = registries.NewFacts(o.images, policies, o.Clock, true)
	return err
}

// imagePolicies reads them from where the Environments come from.
func (o *Options) imagePolicies(ctx context.Context) ([]v1alpha1.ImagePolicy, error) {
	if o.Source.Config == "" {
		return o.connection.ImagePolicies(ctx)
	}
	loader, err := files.NewLoader()
	if err != nil {
		return nil, err
	}
	set, err := configuration.Read(ctx, loader, []string{o.Source.Config})
	if err != nil {
		return nil, err
	}
	return set.ImagePolicies, nil
}

// ahead asks about the images of one page's objects side by side, so that judging them one after another does not wait
// for registries. What it finds is kept; its errors come up again where the object is judged.
func (n *namespaceAudit) ahead(ctx context.Context, k kind, objects []*item) {
	if n.images == nil || n.rules.Environment().Spec.Rules.Signatures == nil {
		return
	}
	var group errgroup.Group
	group.SetLimit(maxConcurrentObjects)
	for _, object := range objects {
		if !n.worthAsking(k, object) {
			continue
		}
		group.Go(func() error {
			if subject, err := n.rules.NewSubject(k.GroupKind(), object.raw); err == nil {
				_, _ = n.images.Of(ctx, n.rules, subject)
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	n.tell(fmt.Sprintf("signatures of %s in namespace %s", k, n.name), len(objects))
}

// worthAsking tells objects that will be judged from most of those that will not: pods that ended, and workloads that
// another one made.
func (n *namespaceAudit) worthAsking(k kind, object *item) bool {
	if k == podKind() {
		runs, err := object.runs()
		return err == nil && runs
	}
	return object.controller() == nil
}
