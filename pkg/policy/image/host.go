package image

import (
	"fmt"
	"strconv"
	"strings"
)

// defaultPort is the one that a host without a port means, as HTTPS is what registries speak.
const defaultPort = ":443"

// maxPort is the greatest number of a TCP port.
const maxPort = 1<<16 - 1

// normalHost is the one form of a lower-case host: without the default port, and Docker Hub by its name.
func normalHost(host string) string {
	// Without its port, a host of one word would be a user of Docker Hub.
	bare, found := strings.CutSuffix(host, defaultPort)
	if found && isHost(bare) && (strings.HasSuffix(bare, "]") || !strings.Contains(bare, ":")) {
		host = bare
	}
	if host == dockerHubIndex || host == dockerHubEndpoint {
		return dockerHub
	}
	return host
}

// checkPort refuses the ports that can be written in two ways, so that one registry has one name, and those that there
// are not.
func checkPort(host string) error {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return nil
	}
	port := host[colon+1:]
	number, err := strconv.Atoi(port)
	if err != nil || number < 1 || number > maxPort || strconv.Itoa(number) != port {
		return fmt.Errorf("%q is no port: write a number from 1 to %d without zeros before it", port, maxPort)
	}
	return nil
}
