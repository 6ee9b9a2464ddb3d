// Command timestamp is Sigstore's timestamp authority with a chain in memory,
// as its own `serve --timestamp-signer memory`, but without a server of metrics:
// that one's port cannot be chosen, so that only one could run on a machine.
package main

import (
	"flag"
	"log"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

// policy is Sigstore's own object identifier for stamps.
const policy = "1.3.6.1.4.1.57264.2"

// patience is how long a request may take to arrive, and an answer to leave.
const patience = 30 * time.Second

func main() {
	host := flag.String("host", "127.0.0.1", "the address to listen on")
	port := flag.Int("port", 3004, "the port to listen on")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("reading arguments: want flags only, got %q", flag.Args())
	}
	for setting, value := range map[string]any{
		"timestamp-signer": "memory", "timestamp-signer-hash": "sha256", "max-request-body-size": 1 << 20,
		"default-policy-oid": policy, "accepted-policy-oids": []string{policy},
	} {
		viper.Set(setting, value)
	}
	if err := server.NewRestAPIServer(*host, *port, []string{"http"}, false, patience, patience).Serve(); err != nil {
		log.Fatalf("serving time stamps: %v", err)
	}
}
