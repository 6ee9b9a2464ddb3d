package testcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The tiers. The empty string leaves the choice to the program.
const (
	Existing = "existing"
	Assets   = "assets"
	Node     = "node"
	Kwok     = "kwok"
)

// Options say which cluster a test wants.
type Options struct {
	// Name is the cluster's name; a running cluster of that name is used. Empty
	// means rune-test.
	Name string
	// Tier is the least that will do; empty means the best that the machine
	// offers.
	Tier string
}

// Cluster is a running cluster. The fields are those that `runecluster up -o
// json` prints.
type Cluster struct {
	Name   string `json:"name"`
	Tier   string `json:"tier"`
	Reason string `json:"reason"`
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	// Registry is the registry's name in image references; RegistryProxy is the
	// URL of the HTTP proxy that leads there, empty where none is needed.
	Registry          string `json:"registry"`
	RegistryProxy     string `json:"registryProxy"`
	Kubectl           string `json:"kubectl"`
	KubernetesVersion string `json:"kubernetesVersion"`
	Logs              string `json:"logs"`
	StateDir          string `json:"stateDir"`
	// InitPID is the process whose end is the end of the cluster.
	InitPID int  `json:"initPID"`
	Ready   bool `json:"ready"`
	// RealPods is true where containers run and traffic flows.
	RealPods bool `json:"realPods"`

	program program
	found   bool
}

// Up brings the cluster up, or finds it up.
func Up(ctx context.Context, options Options) (*Cluster, error) {
	if options.Name == "" {
		options.Name = "rune-test"
	}
	if options.Tier == "" {
		options.Tier = "auto"
	}
	found, err := newProgram(ctx)
	if err != nil {
		return nil, err
	}
	// Whether it is up already decides who takes it down.
	before := &Cluster{}
	if out, err := found.run(ctx, "status", "--name", options.Name, "-o", "json"); err == nil {
		if err := json.Unmarshal(out, before); err != nil {
			return nil, fmt.Errorf("reading the status of cluster %q: %w", options.Name, err)
		}
	}
	out, err := found.run(ctx, "up", "--name", options.Name, "--tier", options.Tier, "-o", "json")
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{program: found}
	if err := json.Unmarshal(out, cluster); err != nil {
		return nil, fmt.Errorf("reading what cluster %q is: %w", options.Name, err)
	}
	cluster.found = before.Ready && before.InitPID == cluster.InitPID
	return cluster, nil
}

// Stop takes the cluster down, unless it was up before Up was called.
func (c *Cluster) Stop(ctx context.Context) error {
	if c.found {
		return nil
	}
	_, err := c.program.run(ctx, "down", "--name", c.Name)
	return err
}

// RESTConfig returns the administrator's client configuration.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
}

// Transport returns an HTTP transport that reaches the registry by its name
// and, where pods are real, Services as http://NAME.NAMESPACE.svc.
func (c *Cluster) Transport() (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	if c.RegistryProxy != "" {
		proxy, err := url.Parse(c.RegistryProxy)
		if err != nil {
			return nil, fmt.Errorf("reading the URL of the registry's proxy: %w", err)
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	return transport, nil
}

// ImageOptions are what an image is made with beside its binary. Empty fields
// take the program's defaults.
type ImageOptions struct {
	Entrypoint string
	Platform   string
	User       string
	// Env are KEY=VALUE.
	Env []string
}

// LoadImage makes an image from a static Linux binary, pushes it to the
// cluster's registry and returns its reference by digest.
func (c *Cluster) LoadImage(ctx context.Context, image, binary string, options ImageOptions) (string, error) {
	args := []string{"load", image, "--name", c.Name, "--binary", binary}
	for flag, value := range map[string]string{
		"--entrypoint": options.Entrypoint, "--platform": options.Platform, "--user": options.User,
	} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	for _, variable := range options.Env {
		args = append(args, "--env", variable)
	}
	return c.program.line(ctx, args...)
}

// User makes a user of the cluster and returns the path of its kubeconfig. The
// user has no rights yet.
func (c *Cluster) User(ctx context.Context, name string, groups ...string) (string, error) {
	args := []string{"user", name, "--name", c.Name}
	for _, group := range groups {
		args = append(args, "--group", group)
	}
	return c.program.line(ctx, args...)
}

// Tool returns the path of a program such as cosign or kubectl, after building
// it if need be.
func (c *Cluster) Tool(ctx context.Context, name string) (string, error) {
	return c.program.line(ctx, "tool", name)
}
