package webhook

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/webhook/certs"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/registration"
)

// ServiceName is the Service through which API servers reach the webhook in the cluster.
const ServiceName = "rune-webhook"

// DefaultPort on which reviews are served.
const DefaultPort = 9443

// Options that all modes share.
type Options struct {
	// NewImages makes what verifies images. It is the caller's, because only that may choose an adapter.
	NewImages func(ImagesConfig) (Images, error)
	Log       logr.Logger
	Clock     clock.WithTicker

	// Host and Port on which reviews are served; no host means all addresses.
	Host string
	Port int
	// URL under which clients outside of the cluster reach the process: "https://127.0.0.1:9443".
	URL string
	// MetricsAddress and ProbeAddress are HOST:PORT; "0" or nothing serves none.
	MetricsAddress string
	ProbeAddress   string
	// DrainDelay is how long the process still serves after it was told to stop.
	DrainDelay time.Duration
}

// AddFlags adds the flags for what is the same in all modes.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.URL, "url", "", "https://HOST:PORT under which clients reach this process outside of a cluster")
	flags.StringVar(&o.Host, "host", "", "address to serve on (default: all, or loopback where --url or --config says that this is enough)")
	flags.IntVar(&o.Port, "port", 0, fmt.Sprintf("port to serve on (default: that of --url, else %d)", DefaultPort))
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", "0", `HOST:PORT of /metrics; "0" serves none`)
	flags.StringVar(&o.ProbeAddress, "health-probe-bind-address", "0", `HOST:PORT of /healthz and /readyz; "0" serves none`)
	flags.DurationVar(&o.DrainDelay, "drain-delay", 0, "how long to go on serving after SIGTERM while readiness fails")
}

// validate also derives the port from the URL where none was chosen.
func (o *Options) validate() error {
	if o.NewImages == nil {
		return errNoImages
	}
	if o.DrainDelay < 0 {
		return fmt.Errorf("reading --drain-delay: %s is negative", o.DrainDelay)
	}
	if o.URL != "" {
		parsed, err := url.Parse(o.URL)
		if err != nil {
			return fmt.Errorf("reading --url: %w", err)
		}
		if parsed.Scheme != "https" || parsed.Hostname() == "" || (parsed.Path != "" && parsed.Path != "/") || parsed.RawQuery != "" {
			return fmt.Errorf("reading --url %q: want https://HOST:PORT and nothing more", o.URL)
		}
		o.bindTo(parsed.Hostname())
		if o.Port == 0 && parsed.Port() != "" {
			if o.Port, err = strconv.Atoi(parsed.Port()); err != nil {
				return fmt.Errorf("reading --url: %w", err)
			}
		}
	}
	if o.Port == 0 {
		o.Port = DefaultPort
	}
	if o.Port < 1 || o.Port > 65535 {
		return fmt.Errorf("reading --port: %d is no port", o.Port)
	}
	return nil
}

// bindTo keeps a process that is reached by loopback only off other addresses, unless --host says otherwise.
func (o *Options) bindTo(hostname string) {
	ip := net.ParseIP(hostname)
	if o.Host == "" && (hostname == "localhost" || (ip != nil && ip.IsLoopback())) {
		o.Host = hostname
	}
}

// names that the serving certificate must cover.
func (o *Options) names(namespace string) certs.Names {
	if o.URL == "" {
		host := ServiceName + "." + namespace + ".svc"
		return certs.Names{DNS: []string{host, host + ".cluster.local"}}
	}
	names := certs.Names{DNS: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	// validate has parsed it before.
	if parsed, err := url.Parse(o.URL); err == nil {
		if ip := net.ParseIP(parsed.Hostname()); ip != nil {
			names.IPs = append(names.IPs, ip)
		} else if parsed.Hostname() != "localhost" {
			names.DNS = append(names.DNS, parsed.Hostname())
		}
	}
	return names
}

func (o *Options) endpoint(namespace string) registration.Endpoint {
	if o.URL != "" {
		return registration.Endpoint{URL: o.URL}
	}
	endpoint := registration.Endpoint{}
	endpoint.Service.Namespace, endpoint.Service.Name = namespace, ServiceName
	return endpoint
}
