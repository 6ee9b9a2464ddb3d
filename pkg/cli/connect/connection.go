package connect

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/version"
)

// Connection is one cluster seen from one namespace.
type Connection struct {
	// Config of the API server, with the client-side rate limit switched off: a command sends few
	// requests, and API Priority and Fairness protects the server.
	Config *rest.Config
	// Namespace of the command: --namespace, else the context's, else "default".
	Namespace string
	// NamespaceGiven tells whether the user typed --namespace.
	NamespaceGiven bool
	// Kube reads and writes the built-in kinds.
	Kube kubernetes.Interface
	// Rune reads and writes the kinds of v1alpha1.
	Rune rest.Interface

	unread *unread
}

// ErrNoCluster says that neither a file nor a flag nor a Pod's environment names an API server.
var ErrNoCluster = errors.New("no cluster is configured: set KUBECONFIG or pass --kubeconfig FILE")

// Open reads the kubeconfig and makes the clients. It sends no request. Warnings of the API server
// will be written to w, each once.
func Open(flags *genericclioptions.ConfigFlags, w io.Writer) (*Connection, error) {
	loader := flags.ToRawKubeConfigLoader()
	namespace, given, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig: %w", err)
	}
	config, err := flags.ToRESTConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, ErrNoCluster
	}
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig: %w", err)
	}
	if raw, err := loader.RawConfig(); err == nil && len(raw.Clusters) == 0 && guessed(flags, config) {
		return nil, ErrNoCluster
	}
	config.QPS = -1
	config.UserAgent = "kubectl-rune/" + version.Get().String()
	config.WarningHandler = rest.NewWarningWriter(w, rest.WarningWriterOptions{Deduplicate: true})
	connection, err := open(config, namespace, given)
	if err != nil {
		return nil, err
	}
	connection.unread = &unread{w: w}
	return connection, nil
}

// guessed tells whether the server is not configured anywhere but clientcmd's default for tests,
// http://localhost:8080.
func guessed(flags *genericclioptions.ConfigFlags, config *rest.Config) bool {
	given := flags.APIServer != nil && *flags.APIServer != ""
	return !given && config.Host == clientcmd.ClusterDefaults.Server && os.Getenv("KUBERNETES_MASTER") == ""
}

func open(config *rest.Config, namespace string, given bool) (*Connection, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig: %w", err)
	}
	kube, err := kubernetes.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("making client: %w", err)
	}
	own, err := runeClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("making client: %w", err)
	}
	return &Connection{Config: config, Namespace: namespace, NamespaceGiven: given, Kube: kube, Rune: own}, nil
}

func runeClient(config *rest.Config, client *http.Client) (rest.Interface, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	own := rest.CopyConfig(config)
	gv := v1alpha1.GroupVersion()
	own.GroupVersion = &gv
	own.APIPath = "/apis"
	// Custom resources are served as JSON only, whatever the built-in kinds are read as.
	own.ContentType = runtime.ContentTypeJSON
	own.AcceptContentTypes = runtime.ContentTypeJSON
	own.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.RESTClientForConfigAndClient(own, client)
}
