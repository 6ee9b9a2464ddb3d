package forward

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// proxied starts a proxy to a registry and returns a client that uses it.
func proxied(t *testing.T, registry http.Handler) *http.Client {
	t.Helper()
	behind := httptest.NewServer(registry)
	t.Cleanup(behind.Close)
	front := httptest.NewServer(NewProxy(strings.TrimPrefix(behind.URL, "http://"), ""))
	t.Cleanup(front.Close)
	address, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(address)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestTheProxyLeadsToTheRegistryByItsName(t *testing.T) {
	client := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.URL.RequestURI())
	}))
	response, err := client.Get("http://registry.localhost:5000/v2/web/tags/list?n=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := "registry.localhost:5000 /v2/web/tags/list?n=1"; string(got) != want {
		t.Errorf("the registry saw %q, want %q", got, want)
	}
}

func TestTheProxySaysThatThereAreNoServicesWithoutANode(t *testing.T) {
	client := proxied(t, http.NotFoundHandler())
	response, err := client.Get("http://web.default.svc/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusBadGateway || !strings.Contains(string(got), "Services are not real here") {
		t.Errorf("got %s: %s", response.Status, got)
	}
}

func TestConnectOpensATunnelToTheRegistry(t *testing.T) {
	registry := httptest.NewServer(http.NotFoundHandler())
	defer registry.Close()
	front := httptest.NewServer(NewProxy(strings.TrimPrefix(registry.URL, "http://"), ""))
	defer front.Close()
	connection, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	// The request behind CONNECT comes in the same packet, as clients in a
	// hurry send it.
	fmt.Fprint(connection, "CONNECT registry.localhost:5000 HTTP/1.1\r\nHost: registry.localhost:5000\r\n\r\nGET /nothing HTTP/1.1\r\nHost: registry\r\n\r\n")
	reader := bufio.NewReader(connection)
	for _, want := range []int{http.StatusOK, http.StatusNotFound} {
		request := &http.Request{Method: http.MethodConnect}
		if want == http.StatusNotFound {
			request = nil
		}
		response, err := http.ReadResponse(reader, request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Fatalf("got %s, want %d", response.Status, want)
		}
	}
}

func TestTheTunnelPassesTheEndOnAndStillReadsTheAnswer(t *testing.T) {
	backend := listen(t)
	go func() {
		connection, err := backend.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		said, err := io.ReadAll(connection) // until the client has said all
		if err == nil {
			fmt.Fprintf(connection, "heard %s", said)
		}
	}()
	front := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- Tunnel(t.Context(), front, backend.Addr().String()) }()

	connection, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "hello")
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(connection)
	if err != nil || string(got) != "heard hello" {
		t.Errorf("got %q, %v", got, err)
	}
	front.Close()
	if err := <-ended; err != nil {
		t.Errorf("a closed listener ended the tunnel with %v", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}
