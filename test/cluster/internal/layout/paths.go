package layout

import (
	"os"
	"path/filepath"
)

// Paths are the places of one cluster below its state directory.
type Paths struct{ State string }

// PathsOf returns the paths of the named cluster:
// ${RUNE_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/kubectl-rune}/clusters/NAME.
func PathsOf(name string) (Paths, error) {
	root, err := userDir("RUNE_STATE", "XDG_STATE_HOME", filepath.Join(".local", "state"))
	if err != nil {
		return Paths{}, err
	}
	return Paths{State: filepath.Join(root, "clusters", name)}, nil
}

// CacheDir returns the directory for built binaries:
// ${RUNE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-rune}.
func CacheDir() (string, error) {
	return userDir("RUNE_CACHE", "XDG_CACHE_HOME", ".cache")
}

func userDir(own, xdg, underHome string) (string, error) {
	if dir := os.Getenv(own); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv(xdg); filepath.IsAbs(dir) {
		return filepath.Join(dir, "kubectl-rune"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, underHome, "kubectl-rune"), nil
}

// Lock is the file that is locked while the cluster is brought up or down. It
// lies beside the state directory, which comes and goes.
func (p Paths) Lock() string { return p.State + ".lock" }

// Record is the file that says what the cluster is and what runs of it.
func (p Paths) Record() string { return filepath.Join(p.State, "cluster.json") }

// Processes is the file in which the supervisor notes every process it starts.
func (p Paths) Processes() string { return filepath.Join(p.State, "processes.json") }

// Failure is the file in which the supervisor says why it gave up.
func (p Paths) Failure() string { return filepath.Join(p.State, "failure.json") }

// Spec is the file that tells the supervisor what to run.
func (p Paths) Spec() string { return filepath.Join(p.State, "spec.json") }

// Kubeconfig is the administrator's kubeconfig for callers on the host.
func (p Paths) Kubeconfig() string { return filepath.Join(p.State, "kubeconfig") }

// ComponentKubeconfig is the kubeconfig of one component, for use where the
// components run.
func (p Paths) ComponentKubeconfig(component string) string {
	return filepath.Join(p.State, "config", component+".kubeconfig")
}

// UserKubeconfig is the kubeconfig made for one user of the cluster.
func (p Paths) UserKubeconfig(user string) string {
	return filepath.Join(p.State, "users", user+".kubeconfig")
}

// Config is the directory of the components' configuration.
func (p Paths) Config() string { return filepath.Join(p.State, "config") }

// PKI is the directory of keys and certificates.
func (p Paths) PKI() string { return filepath.Join(p.State, "pki") }

// Logs is the directory with one log for each component.
func (p Paths) Logs() string { return filepath.Join(p.State, "logs") }

// Log is the log of one component.
func (p Paths) Log(component string) string { return filepath.Join(p.Logs(), component+".log") }

// Data is the directory in which the named component keeps what it must.
func (p Paths) Data(component string) string { return filepath.Join(p.State, "data", component) }
