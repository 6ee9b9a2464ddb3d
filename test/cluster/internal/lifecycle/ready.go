package lifecycle

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/images"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/readiness"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
)

const (
	// freshTimeout bounds the wait for a cluster to come up: seconds on an idle
	// machine.
	freshTimeout = 4 * time.Minute
	fakeNodes    = 3
)

// clientOf returns a client for the cluster's administrator.
func clientOf(info *record.Info) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", info.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig %s: %w", info.Kubeconfig, err)
	}
	config.QPS, config.Burst = 100, 200
	config.WarningHandler = rest.NoWarnings{}
	if info.Tier != string(machine.Existing) {
		config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	return kubernetes.NewForConfig(config)
}

// awaitFresh brings a started cluster to what callers rely on.
func (u *upping) awaitFresh(ctx context.Context) error {
	client, err := clientOf(&u.info)
	if err != nil {
		return err
	}
	transport, err := images.Transport(u.info.RegistryProxy)
	if err != nil {
		return err
	}
	conditions := []readiness.Condition{
		readiness.Registry(u.info.Registry, transport),
		readiness.API(client),
	}
	if u.tier == machine.Node {
		pause, err := u.pauseImage(transport)
		if err != nil {
			return fmt.Errorf("making the pause image: %w", err)
		}
		conditions = append(conditions, readiness.Addons(client, u.spec.Network), pause)
	}
	if u.tier == machine.Kwok {
		conditions = append(conditions, readiness.FakeNodes(client, u.options.Name, fakeNodes))
	}
	conditions = append(conditions, standing(&u.info, client)...)
	if err := readiness.Wait(ctx, freshTimeout, conditions); err != nil {
		return err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("asking for the version of Kubernetes: %w", err)
	}
	u.info.KubernetesVersion = version.GitVersion
	return nil
}

// standing are the conditions that a cluster that is up fulfils.
func standing(info *record.Info, client kubernetes.Interface) []readiness.Condition {
	conditions := []readiness.Condition{readiness.API(client)}
	switch machine.Tier(info.Tier) {
	case machine.Node:
		conditions = append(conditions,
			readiness.Nodes(client, "kubelet"), readiness.DNS(info.RegistryProxy), readiness.ServiceAccount(client))
	case machine.Kwok:
		conditions = append(conditions, readiness.Nodes(client, "kwok"), readiness.ServiceAccount(client))
	case machine.Existing:
		conditions = append(conditions, readiness.Nodes(client, ""), readiness.ServiceAccount(client))
	}
	return conditions
}

// awaitReady waits until a cluster that runs is ready.
func awaitReady(ctx context.Context, info *record.Info, bound time.Duration) error {
	client, err := clientOf(info)
	if err != nil {
		return err
	}
	return readiness.Wait(ctx, bound, standing(info, client))
}

// pauseImage is true when the image that holds every pod is in the registry;
// it puts it there.
func (u *upping) pauseImage(transport http.RoundTripper) (readiness.Condition, error) {
	image, err := images.Build(u.spec.Binaries["pause"], images.Options{
		Entrypoint: "/pause", Platform: machine.Platform(), User: "65535:65535",
	})
	if err != nil {
		return readiness.Condition{}, err
	}
	tag, err := images.Reference(u.info.Registry, component.PauseImage)
	if err != nil {
		return readiness.Condition{}, err
	}
	return readiness.Condition{Name: "the pause image is in the registry", Component: "registry", Check: func(ctx context.Context) error {
		_, err := images.Push(ctx, tag, image, transport)
		return err
	}}, nil
}
