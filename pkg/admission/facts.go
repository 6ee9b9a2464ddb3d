package admission

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// facts gathers what the environment's rules need to know, all at once. What is not asked is not looked for.
func (j *Judge) facts(ctx context.Context, c *candidate) (policy.Facts, error) {
	facts := policy.Facts{Now: j.Clock.Now()}
	if !c.scope.needsFacts() {
		return facts, nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		facts.Images, err = j.imageFacts(ctx, c)
		return err
	})
	group.Go(func() (err error) {
		if facts.Approval, err = j.approvalFact(ctx, c); err != nil {
			return err
		}
		facts.Access, err = j.accessFact(ctx, c)
		return err
	})
	if c.environment.Spec.Rules.Availability != nil && hasReplicas(c.subject.Kind) {
		group.Go(func() (err error) {
			facts.Surroundings, err = j.surroundings(ctx, c.request.Namespace)
			return err
		})
		group.Go(func() error {
			release, err := j.canaryOf(ctx, c.environment.Name, c.request.Namespace, c.subject, c.object)
			if release != nil {
				facts.Canary = release.Name
			}
			return err
		})
	}
	err := group.Wait()
	return facts, err
}

// accessFact asks whether a user may change what runs here. Only what a controller makes of an owner that was
// judged when it entered is not asked; who else names an owner is.
func (j *Judge) accessFact(ctx context.Context, c *candidate) (*policy.AccessFact, error) {
	if c.environment.Spec.Rules.Access == nil {
		return nil, nil
	}
	origin, err := j.lineage(ctx, c)
	if err != nil {
		return nil, err
	}
	fact := &policy.AccessFact{Exempt: origin.exempt, User: c.request.UserInfo.Username}
	if fact.Exempt == "" {
		fact.Allowed, err = j.mayDeploy(ctx, c.environment.Name, c.request.UserInfo)
	}
	return fact, err
}

func (j *Judge) mayDeploy(ctx context.Context, environment string, user authenticationv1.UserInfo) (bool, error) {
	allowed, err := j.Access.Holds(ctx, user, v1alpha1.VerbDeploy, environment)
	if err != nil {
		return false, fmt.Errorf("asking whether user %q may deploy to environment %q: %w", user.Username, environment, err)
	}
	return allowed, nil
}
