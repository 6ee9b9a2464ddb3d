package cluster

import (
	"context"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/apply"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Missing implements engine.Access with one SelfSubjectAccessReview per right, all at once.
func (c *Cluster) Missing(ctx context.Context, rights []engine.Right) ([]engine.Right, error) {
	allowed := make([]bool, len(rights))
	group, ctx := errgroup.WithContext(ctx)
	for i, r := range rights {
		group.Go(func() error {
			review, err := c.clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, Namespace: r.Namespace,
				}},
			}, metav1.CreateOptions{})
			if err != nil {
				return err
			}
			allowed[i] = review.Status.Allowed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []engine.Right
	for i, r := range rights {
		if !allowed[i] {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

// GetLease implements engine.Leases.
func (c *Cluster) GetLease(ctx context.Context, namespace, name string) (*coordinationv1.Lease, error) {
	return c.clients.CoordinationV1().Leases(namespace).Get(ctx, name, metav1.GetOptions{})
}

// CreateLease implements engine.Leases.
func (c *Cluster) CreateLease(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	return c.clients.CoordinationV1().Leases(l.Namespace).Create(ctx, l, metav1.CreateOptions{FieldManager: apply.FieldManager})
}

// UpdateLease implements engine.Leases.
func (c *Cluster) UpdateLease(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	return c.clients.CoordinationV1().Leases(l.Namespace).Update(ctx, l, metav1.UpdateOptions{FieldManager: apply.FieldManager})
}

// DeleteLease implements engine.Leases.
func (c *Cluster) DeleteLease(ctx context.Context, namespace, name string, d engine.Deletion) error {
	return c.clients.CoordinationV1().Leases(namespace).Delete(ctx, name, deletion(d))
}
