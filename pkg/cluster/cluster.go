package cluster

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Config says how a cluster is reached.
type Config struct {
	// REST is copied; rate limits on the client's side are taken off, since one release at a time asks.
	REST *rest.Config
	// Namespace of the typed reads.
	Namespace string
	// OnWarning receives each warning of the API server once. It may be nil.
	OnWarning func(string)
	// OnUnread is told of each object that cannot be read and is left out. It may be nil.
	OnUnread func(string)
}

// Cluster is a connection to one cluster. It implements the ports of package engine for any namespace;
// its own reads look into Config.Namespace.
type Cluster struct {
	clients   kubernetes.Interface
	dynamic   dynamic.Interface
	namespace string
	unread    func(string)
}

// New connects lazily: no request is sent before the first read.
func New(c Config) (*Cluster, error) {
	config := rest.CopyConfig(c.REST)
	config.QPS, config.Burst = -1, 0
	config.WarningHandler = nil
	config.WarningHandlerWithContext = &warnings{tell: c.OnWarning}
	// One HTTP client, so that both share connections.
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the cluster: %w", err)
	}
	clients, err := kubernetes.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the cluster: %w", err)
	}
	dynamicClient, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the cluster: %w", err)
	}
	reached := NewFor(clients, dynamicClient, c.Namespace)
	if c.OnUnread != nil {
		reached.unread = c.OnUnread
	}
	return reached, nil
}

// NewFor returns a Cluster over clients that exist already.
func NewFor(clients kubernetes.Interface, dynamicClient dynamic.Interface, namespace string) *Cluster {
	return &Cluster{clients: clients, dynamic: dynamicClient, namespace: namespace, unread: func(string) {}}
}

// Ports returns the engine's ways into this cluster.
func (c *Cluster) Ports() engine.Ports {
	return engine.Ports{
		Workloads: c, Children: c, History: c, Services: c, Journal: c, Requests: c, Consent: c, Access: c, Leases: c, Prober: c,
	}
}

// Namespace is the one that the typed reads look into.
func (c *Cluster) Namespace() string { return c.namespace }

// Installed tells whether the API server serves Rune's kinds. Discovery is open to every user that the
// cluster knows.
func (c *Cluster) Installed(context.Context) (bool, error) {
	resources, err := c.clients.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, r := range resources.APIResources {
		if r.Name == "releases" {
			return true, nil
		}
	}
	return false, nil
}

// warnings passes each warning on once.
type warnings struct {
	tell func(string)
	mu   sync.Mutex
	seen map[string]bool
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _ string, text string) {
	// 299 is the only code that the API server uses: https://kubernetes.io/blog/2020/09/03/warnings.
	if code != 299 || text == "" || w.tell == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	if !w.seen[text] {
		w.seen[text] = true
		w.tell(text)
	}
}
