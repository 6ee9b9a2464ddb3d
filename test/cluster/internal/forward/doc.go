// Package forward lets callers on the host reach into a cluster's network
// namespace: it accepts on sockets that were opened on the host, dials where it
// runs, and so needs no link between the two. One socket leads to the API
// server; the other is an HTTP proxy to the registry and, by their DNS names, to
// Services.
package forward
