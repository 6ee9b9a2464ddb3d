package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

const namespace = "shop"

// model is a cluster in memory: an API server with preconditions, and the controllers that matter to a
// release. Controllers run whenever somebody looks, by the clock of the test's bubble.
type model struct {
	t  *testing.T
	mu sync.Mutex

	version     int64
	deployments map[string]*engine.Deployment
	sets        map[string]*appsv1.ReplicaSet
	pods        map[string]*corev1.Pod
	services    map[string]*corev1.Service
	leases      map[string]*coordinationv1.Lease
	releases    map[string]*engine.Release
	environment *v1alpha1.Environment
	approvals   []v1alpha1.Approval
	missing     []engine.Right
	uninstalled bool
	autoscaled  bool

	// started counts the pods that were ever started, by image.
	started map[string]int
	// fewest is the lowest number of ready pods seen since the release began; -1 before.
	fewest int
	// refuse returns the admission's answer to a write of a Deployment.
	refuse func(verb string, d *engine.Deployment) error
}

func newModel(t *testing.T) *model {
	return &model{
		t: t, fewest: -1,
		deployments: map[string]*engine.Deployment{}, sets: map[string]*appsv1.ReplicaSet{}, pods: map[string]*corev1.Pod{},
		services: map[string]*corev1.Service{}, leases: map[string]*coordinationv1.Lease{}, releases: map[string]*engine.Release{},
		started: map[string]int{},
	}
}

func (m *model) stamp(o metav1.Object) {
	m.version++
	if o.GetUID() == "" {
		o.SetUID(types.UID("uid-" + strconv.FormatInt(m.version, 10)))
		o.SetCreationTimestamp(metav1.NewTime(time.Now()))
		o.SetGeneration(1)
	}
	o.SetResourceVersion(strconv.FormatInt(m.version, 10))
}

func notFound(resource, name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: resource}, name)
}

func conflict(resource, name string) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: resource}, name, errors.New("the object has been modified"))
}

func exists(resource, name string) error {
	return apierrors.NewAlreadyExists(schema.GroupResource{Resource: resource}, name)
}

// errKilled is all that a killed driver gets from the cluster.
var errKilled = errors.New("killed")

// client is one driver's connection. It dies at one of its calls, before or after the call took effect.
type client struct {
	*model
	calls  int
	killAt int
	after  bool
	dead   bool
	cancel context.CancelFunc
	log    []string
}

// call runs one request. Only what changes or reads the cluster counts; it is serialised, as in an API server.
func (c *client) call(what string, do func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return errKilled
	}
	c.calls++
	c.log = append(c.log, what)
	die := c.killAt == c.calls
	if die && !c.after {
		c.die()
		return errKilled
	}
	c.settle()
	err := do()
	c.settle()
	if die {
		c.die()
		return errKilled
	}
	return err
}

func (c *client) die() {
	c.dead = true
	c.cancel()
}

func (c *client) GetDeployment(_ context.Context, _, name string) (out *engine.Deployment, err error) {
	err = c.call("get deployment "+name, func() error {
		d, ok := c.deployments[name]
		if !ok {
			return notFound("deployments", name)
		}
		out = copyOf(d)
		return nil
	})
	return out, err
}

func copyOf(d *engine.Deployment) *engine.Deployment {
	return &engine.Deployment{Deployment: *d.DeepCopy(), Template: d.Template}
}

func (c *client) CreateDeployment(_ context.Context, d *engine.Deployment, w engine.Write) (out *engine.Deployment, err error) {
	err = c.call("create deployment "+d.Name, func() error {
		if _, ok := c.deployments[d.Name]; ok {
			return exists("deployments", d.Name)
		}
		stored := copyOf(d)
		stored.Spec.Template = *d.Template.Typed.DeepCopy()
		if c.refuse != nil {
			if err := c.refuse("create", stored); err != nil {
				return err
			}
		}
		out = stored
		if w.DryRun {
			return nil
		}
		c.stamp(stored)
		c.deployments[d.Name] = stored
		out = copyOf(stored)
		return nil
	})
	return out, err
}

func (c *client) PatchDeployment(_ context.Context, live *engine.Deployment, change engine.Change, w engine.Write) (out *engine.Deployment, err error) {
	err = c.call(fmt.Sprintf("patch deployment %s %s", live.Name, describe(change)), func() error {
		stored, ok := c.deployments[live.Name]
		if !ok {
			return notFound("deployments", live.Name)
		}
		if stored.UID != live.UID || stored.ResourceVersion != live.ResourceVersion {
			return conflict("deployments", live.Name)
		}
		next := copyOf(stored)
		if err := change1(next, change); err != nil {
			return err
		}
		if c.refuse != nil {
			if err := c.refuse("update", next); err != nil {
				return err
			}
		}
		if w.DryRun {
			out = next
			return nil
		}
		next.Generation++
		c.stamp(next)
		c.deployments[live.Name] = next
		out = copyOf(next)
		return nil
	})
	return out, err
}

func (c *client) DeleteDeployment(_ context.Context, _, name string, d engine.Deletion) error {
	return c.call(fmt.Sprintf("delete deployment %s %s", name, d.Propagation), func() error {
		stored, ok := c.deployments[name]
		switch {
		case !ok:
			return notFound("deployments", name)
		case stored.UID != d.UID || (d.ResourceVersion != "" && stored.ResourceVersion != d.ResourceVersion):
			return conflict("deployments", name)
		}
		now := metav1.NewTime(time.Now())
		stored.DeletionTimestamp = &now
		stored.Finalizers = []string{string(d.Propagation)}
		c.stamp(stored)
		return nil
	})
}

func (c *client) GetService(_ context.Context, _, name string) (out *corev1.Service, err error) {
	err = c.call("get service", func() error {
		s, ok := c.services[name]
		if !ok {
			return notFound("services", name)
		}
		out = s.DeepCopy()
		return nil
	})
	return out, err
}

func (c *client) CreateService(_ context.Context, s *corev1.Service) (out *corev1.Service, err error) {
	err = c.call("create service", func() error {
		if _, ok := c.services[s.Name]; ok {
			return exists("services", s.Name)
		}
		stored := s.DeepCopy()
		c.stamp(stored)
		c.services[s.Name] = stored
		out = stored.DeepCopy()
		return nil
	})
	return out, err
}

func (c *client) DeleteService(_ context.Context, _, name string, d engine.Deletion) error {
	return c.call("delete service", func() error {
		s, ok := c.services[name]
		switch {
		case !ok:
			return notFound("services", name)
		case s.UID != d.UID:
			return conflict("services", name)
		}
		delete(c.services, name)
		return nil
	})
}
