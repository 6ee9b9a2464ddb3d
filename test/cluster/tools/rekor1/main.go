// Command rekor1 is Sigstore's transparency log of version 1, rekor-server, with
// the Trillian that it needs in the same process and in memory, instead of two
// more servers and a database. It has no search index, and no server of metrics:
// that one's port cannot be chosen.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/go-openapi/loads"
	"github.com/google/trillian/util/clock"
	"github.com/sigstore/rekor/pkg/api"
	"github.com/sigstore/rekor/pkg/generated/restapi"
	"github.com/sigstore/rekor/pkg/generated/restapi/operations"
	"github.com/spf13/viper"

	// What cosign enters.
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2"
)

func main() {
	host := flag.String("host", "127.0.0.1", "the address to listen on, also of Trillian, at a free port")
	port := flag.Int("port", 3000, "the port to listen on")
	hostname := flag.String("hostname", "localhost", "the log's name in its checkpoints")
	offset := flag.Duration("ahead", 0, "by how much the log's clock is ahead: for tests of what was signed too late")
	signer := flag.String("signer", "memory", "the file of the log's private key in PEM, or memory")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("reading arguments: want flags only, got %q", flag.Args())
	}
	if err := serve(*host, *port, *hostname, *signer, ahead{clock.System, *offset}); err != nil {
		log.Fatal(err)
	}
}

// serve serves until the process is told to end.
func serve(host string, port int, hostname, signer string, time clock.TimeSource) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return fmt.Errorf("listening for Trillian: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { log.Fatalf("serving Trillian: %v", serveTrillian(ctx, listener, time)) }()
	for setting, value := range map[string]any{
		"trillian_log_server.address": host, "trillian_log_server.port": listener.Addr().(*net.TCPAddr).Port,
		"rekor_server.hostname": hostname, "rekor_server.signer": signer, "max_request_body_size": 1 << 25,
		"enabled_api_endpoints": []string{"getLogInfo", "getPublicKey", "getLogProof", "createLogEntry", "getLogEntryByIndex", "getLogEntryByUUID", "searchLogQuery"},
	} {
		viper.Set(setting, value)
	}
	document, err := loads.Embedded(restapi.SwaggerJSON, restapi.FlatSwaggerJSON)
	if err != nil {
		return fmt.Errorf("reading the description of the API: %w", err)
	}
	api.ConfigureAPI(0) // makes a new tree
	server := restapi.NewServer(operations.NewRekorServerAPI(document))
	server.Host, server.Port, server.EnabledListeners = host, port, []string{"http"}
	server.ConfigureAPI()
	return server.Serve()
}
