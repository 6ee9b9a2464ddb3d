package lifecycle

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/identity"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/pki"
)

// fileName is what a user's name must look like to name a file as well.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]*$`)

// User makes a user of the cluster and returns the path of its kubeconfig.
func User(ctx context.Context, cluster, user string, groups []string) (string, error) {
	if !fileName.MatchString(user) {
		return "", fmt.Errorf("making user %q: want letters, digits and any of _.@-", user)
	}
	info, err := Require(cluster)
	if err != nil {
		return "", err
	}
	client, err := clientOf(info)
	if err != nil {
		return "", err
	}
	paths := layout.Paths{State: info.StateDir}
	var pair pki.Pair
	if info.Tier == string(machine.Assets) { // nothing there signs requests
		pair, err = signed(paths, user, groups)
	} else {
		pair, err = identity.Request(ctx, client, user, groups)
	}
	if err != nil {
		return "", err
	}
	path := paths.UserKubeconfig(user)
	return path, pki.WriteUserKubeconfig(path, info.Kubeconfig, user, pair)
}

// signed signs a user's certificate with the cluster's authority.
func signed(paths layout.Paths, user string, groups []string) (pki.Pair, error) {
	authority, err := pki.LoadAuthority(filepath.Join(paths.PKI(), "ca.crt"), filepath.Join(paths.PKI(), "ca.key"))
	if err != nil {
		return pki.Pair{}, err
	}
	return authority.Client(time.Now(), user, groups...)
}
