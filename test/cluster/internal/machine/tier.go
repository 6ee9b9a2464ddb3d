package machine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Tier says how much of a cluster there is.
type Tier string

// The tiers, from the most to the least preferred.
const (
	// Existing is a cluster that someone else runs, such as kind.
	Existing Tier = "existing"
	// Assets is an etcd and an API server that someone else has built.
	Assets Tier = "assets"
	// Node is a control plane and a real node.
	Node Tier = "node"
	// Kwok is a control plane and nodes that kwok fakes.
	Kwok Tier = "kwok"
	// Auto is the first of the above that the machine has what it needs for.
	Auto Tier = "auto"
)

// Facts are what the choice of a tier depends on.
type Facts struct {
	// Kubeconfig and AssetsDir are E2E_KUBECONFIG and KUBEBUILDER_ASSETS.
	Kubeconfig, AssetsDir string
	OS                    string
	Root                  bool
	// MissingFiles are kernel facilities that a real node needs, as the files
	// that show them.
	MissingFiles []string
	// MissingPackages are Debian packages to install; CanInstall is true where
	// that is possible.
	MissingPackages []string
	CanInstall      bool
}

// Inspect returns the facts of this machine.
func Inspect() Facts {
	facts := Facts{
		Kubeconfig: os.Getenv("E2E_KUBECONFIG"), AssetsDir: os.Getenv("KUBEBUILDER_ASSETS"),
		OS: runtime.GOOS, Root: os.Geteuid() == 0,
		MissingPackages: missingPackages(), CanInstall: canInstall(),
	}
	for _, file := range []string{"/proc/self/ns/net", "/proc/self/ns/pid", "/sys/fs/cgroup", "/dev/kmsg"} {
		if _, err := os.Stat(file); err != nil {
			facts.MissingFiles = append(facts.MissingFiles, file)
		}
	}
	return facts
}

// Choose returns the tier and the reason for it. It returns an error where the
// wanted tier is not possible.
func Choose(want Tier, facts Facts) (Tier, string, error) {
	if want == "" || want == Auto {
		return choose(facts)
	}
	var obstacle error
	switch want {
	case Existing:
		if facts.Kubeconfig == "" {
			obstacle = errors.New("E2E_KUBECONFIG is not set")
		}
	case Assets:
		if facts.AssetsDir == "" {
			obstacle = errors.New("KUBEBUILDER_ASSETS is not set")
		}
	case Node:
		obstacle = nodeObstacle(facts)
	case Kwok:
	default:
		return "", "", fmt.Errorf("reading tier %q: want one of auto, existing, assets, node, kwok", want)
	}
	if obstacle != nil {
		return "", "", fmt.Errorf("choosing tier %q: %w", want, obstacle)
	}
	return want, "asked for by --tier", nil
}

func choose(facts Facts) (Tier, string, error) {
	if facts.Kubeconfig != "" {
		return Existing, "E2E_KUBECONFIG is set to " + facts.Kubeconfig, nil
	}
	if facts.AssetsDir != "" {
		return Assets, "KUBEBUILDER_ASSETS is set to " + facts.AssetsDir, nil
	}
	obstacle := nodeObstacle(facts)
	if obstacle == nil {
		return Node, "Linux, root, and all that a node needs", nil
	}
	return Kwok, "no real node here: " + obstacle.Error(), nil
}

// nodeObstacle returns why there cannot be a real node, nil if there can.
func nodeObstacle(facts Facts) error {
	switch {
	case facts.OS != "linux":
		return fmt.Errorf("it needs Linux, and this is %s", facts.OS)
	case !facts.Root:
		return errors.New("it needs root, for namespaces and mounts; run it with sudo, or set E2E_KUBECONFIG to a kind cluster")
	case len(facts.MissingFiles) > 0:
		return fmt.Errorf("this machine lacks %s", strings.Join(facts.MissingFiles, ", "))
	case len(facts.MissingPackages) > 0 && !facts.CanInstall:
		packages := slices.Sorted(slices.Values(facts.MissingPackages))
		return fmt.Errorf("programs are missing; on Debian or Ubuntu run: sudo apt-get install --no-install-recommends %s", strings.Join(packages, " "))
	}
	return nil
}
