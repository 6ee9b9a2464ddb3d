package forward

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

// Proxy is an HTTP proxy into the cluster.
type Proxy struct {
	registry string
	// dns is the address of the cluster DNS, empty where there is none.
	dns   string
	plain *httputil.ReverseProxy
}

// NewProxy returns a proxy that reaches the registry at its address and, if
// dns is not empty, resolves every other name there.
func NewProxy(registry, dns string) *Proxy {
	p := &Proxy{registry: registry, dns: dns}
	p.plain = &httputil.ReverseProxy{
		Rewrite:       func(*httputil.ProxyRequest) {}, // the URL is absolute already
		Transport:     &http.Transport{DialContext: p.dial, IdleConnTimeout: 30 * time.Second},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			log.Printf("%s %s: %v", r.Method, r.URL, err)
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	return p
}

// Serve answers on the listener until it is closed.
func (p *Proxy) Serve(listener net.Listener) error {
	server := &http.Server{Handler: p, ReadHeaderTimeout: 30 * time.Second}
	return server.Serve(listener)
}

// ServeHTTP answers a request in absolute form or a CONNECT.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case !r.URL.IsAbs():
		http.Error(w, "this is an HTTP proxy: set HTTP_PROXY to its URL", http.StatusBadRequest)
	default:
		p.plain.ServeHTTP(w, r)
	}
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	dialed, err := p.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		log.Printf("CONNECT %s: %v", r.Host, err)
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer dialed.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer client.Close()
	if _, err := client.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		return
	}
	if early := buffered.Reader.Buffered(); early > 0 {
		bytes, _ := buffered.Reader.Peek(early) // that many are buffered
		if _, err := dialed.Write(bytes); err != nil {
			return
		}
	}
	join(client, dialed)
}

// dial connects to the registry or to a name of the cluster.
func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address == layout.RegistryName {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, p.registry)
	}
	if p.dns == "" {
		return nil, fmt.Errorf("connecting to %s: pods and Services are not real here, only %s is", address, layout.RegistryName)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(host, ".svc") {
		host += "." + layout.DNSDomain
	}
	if net.ParseIP(host) == nil && !strings.HasSuffix(host, ".") {
		host += "." // no search domains of the machine
	}
	dialer := net.Dialer{Resolver: p.resolver()}
	return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
}

// resolver returns a resolver that asks the cluster DNS. It is used for one
// name: a shared one would let all who ask for a name wait for the first
// question, which may have been lost.
func (p *Proxy) resolver() *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var direct net.Dialer
			return direct.DialContext(ctx, network, p.dns)
		},
	}
}
