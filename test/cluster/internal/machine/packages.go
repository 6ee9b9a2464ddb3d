package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// searchPath has the directories that Debian keeps out of users' paths.
func searchPath() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin")
}

// requirement is a program of the node and the Debian package that has it.
type requirement struct{ program, debian string }

func requirements() []requirement {
	return []requirement{
		{"runc", "runc"},    // containers
		{"nft", "nftables"}, // kube-proxy
		{"mount", "mount"},  // kubelet's volumes
		{"umount", "mount"}, // the same
	}
}

// LookPath returns the path of a program, also where a user's PATH does not
// lead.
func LookPath(program string) (string, error) {
	for _, dir := range searchPath() {
		if !filepath.IsAbs(dir) {
			continue
		}
		path, err := exec.LookPath(filepath.Join(dir, program))
		if err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("looking for %s: %w", program, exec.ErrNotFound)
}

func missingPackages() []string {
	var missing []string
	for _, r := range requirements() {
		if _, err := LookPath(r.program); err != nil && !strings.Contains(strings.Join(missing, " "), r.debian) {
			missing = append(missing, r.debian)
		}
	}
	return missing
}

func canInstall() bool {
	_, err := LookPath("apt-get")
	return err == nil && os.Geteuid() == 0
}

// InstallMissing installs the Debian packages that a node needs and the machine
// lacks. The output of apt-get is shown only if it fails.
func InstallMissing(ctx context.Context, progress io.Writer) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "installing Debian packages: %s\n", strings.Join(missing, " "))
	install := append([]string{"install", "-y", "-q", "--no-install-recommends"}, missing...)
	// The lists may be missing or old: then the first try fails, and once more
	// after an update is the answer.
	if _, err := aptGet(ctx, install...); err == nil {
		return nil
	}
	updated, updateErr := aptGet(ctx, "update", "-q")
	installed, err := aptGet(ctx, install...)
	if err == nil {
		return nil
	}
	return fmt.Errorf("installing %s: %w\n%s%s\ninstall them by hand: sudo apt-get update && sudo apt-get install --no-install-recommends %[1]s",
		strings.Join(missing, " "), errors.Join(updateErr, err), updated, installed)
}

func aptGet(ctx context.Context, args ...string) (output []byte, err error) {
	command := exec.CommandContext(ctx, "apt-get", args...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	output, err = command.CombinedOutput()
	if err != nil {
		return output, fmt.Errorf("running apt-get %s: %w", args[0], err)
	}
	return output, nil
}
