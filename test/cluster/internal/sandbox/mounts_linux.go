package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
)

// masked are the directories that components write to whatever they are told.
// The sandbox has its own, so that neither the machine nor another cluster is
// touched.
func masked() []string { return []string{"/run", "/tmp", "/var/lib"} }

const logDir = "/var/log"

// kept is a directory that must stay visible below a masked one.
type kept struct {
	path string
	fd   int
}

// mountOwn gives the sandbox its /proc and the directories in masked, and lets
// mounts made from now on propagate, as kubelet and containerd expect.
func mountOwn(spec component.Spec) error {
	keep, err := openKept(spec)
	if err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, dir := range masked() {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	if err := os.Chmod("/tmp", 0o1777); err != nil {
		return err
	}
	for _, k := range keep {
		if err := k.restore(); err != nil {
			return fmt.Errorf("keeping %s: %w", k.path, err)
		}
	}
	// The logs of pods then lie beside those of the components.
	if err := unix.Mount(spec.Paths.Logs(), logDir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", logDir, err)
	}
	hosts := filepath.Join(spec.Paths.Config(), "hosts")
	if err := unix.Mount(hosts, "/etc/hosts", "", unix.MS_BIND, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mounting /etc/hosts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("making mounts shared: %w", err)
	}
	return nil
}

// openKept opens the directories that are needed and would be masked.
func openKept(spec component.Spec) ([]kept, error) {
	dirs := []string{spec.Paths.State, filepath.Dir(spec.Runc)}
	for _, binary := range spec.Binaries {
		dirs = append(dirs, filepath.Dir(binary))
	}
	slices.Sort(dirs)
	var keep []kept
	for _, dir := range slices.Compact(dirs) {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(masked(), func(m string) bool { return strings.HasPrefix(real, m+"/") }) {
			continue
		}
		fd, err := unix.Open(real, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", real, err)
		}
		keep = append(keep, kept{path: real, fd: fd})
	}
	return keep, nil
}

// restore mounts the directory, which is still open, where it was.
func (k kept) restore() error {
	defer unix.Close(k.fd)
	if err := os.MkdirAll(k.path, 0o755); err != nil {
		return err
	}
	return unix.Mount(fmt.Sprintf("/proc/self/fd/%d", k.fd), k.path, "", unix.MS_BIND|unix.MS_REC, "")
}

// snapshotter returns the snapshotter that works on the disk of dir: overlayfs
// does not on top of another overlay, as in many containers.
func snapshotter(dir string) string {
	defer os.RemoveAll(dir)
	for _, sub := range []string{"lower", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "native"
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", dir)
	merged := filepath.Join(dir, "merged")
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return "native"
	}
	if err := unix.Unmount(merged, 0); err != nil {
		return "native"
	}
	return "overlayfs"
}
