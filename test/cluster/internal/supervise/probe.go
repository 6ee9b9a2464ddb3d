package supervise

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
)

const askTimeout = 2 * time.Second

func ask(ctx context.Context, probe component.Probe, get Getter) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	switch {
	case probe.Get != "":
		return get(ctx, probe.Get)
	case probe.Dial[0] != "":
		var dialer net.Dialer
		connection, err := dialer.DialContext(ctx, probe.Dial[0], probe.Dial[1])
		if err != nil {
			return err
		}
		return connection.Close()
	default:
		return nil
	}
}

// NewGetter returns a Getter that authenticates with the kubeconfig at path and
// uses no proxy.
func NewGetter(path string) (Getter, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, address string) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 512)) // for the message only
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("getting %s: %s: %s", address, response.Status, text)
		}
		return nil
	}, nil
}
