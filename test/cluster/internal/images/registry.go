package images

import (
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// ServeRegistry serves a registry with the referrers API on the address. Blobs
// are kept in dir, manifests in memory.
func ServeRegistry(address, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: registry.New(
			registry.WithReferrersSupport(true),
			registry.WithBlobHandler(registry.NewDiskBlobHandler(dir)),
			registry.Logger(log.Default()),
		),
		ReadHeaderTimeout: 30 * time.Second,
	}
	return server.Serve(listener)
}
