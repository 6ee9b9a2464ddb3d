package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
)

// Info is what `up` and `status` print as JSON. Its keys are a contract with
// the tests of the main module: keys are added, never changed.
type Info struct {
	Name string `json:"name"`
	// Tier is existing, assets, node or kwok; Reason says why that one.
	Tier   string `json:"tier"`
	Reason string `json:"reason"`
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	// Registry is the registry's name in image references, empty if there is
	// none. RegistryProxy is the URL of an HTTP proxy through which the caller
	// reaches it by that name, empty where the caller needs none.
	Registry          string `json:"registry"`
	RegistryProxy     string `json:"registryProxy"`
	Kubectl           string `json:"kubectl"`
	KubernetesVersion string `json:"kubernetesVersion"`
	Logs              string `json:"logs"`
	StateDir          string `json:"stateDir"`
	// InitPID is the process whose end is the end of the cluster, 0 for an
	// existing one.
	InitPID int  `json:"initPID"`
	Ready   bool `json:"ready"`
	// RealPods is true where containers run and traffic flows.
	RealPods bool `json:"realPods"`
}

// Record is what is kept on disk of a cluster.
type Record struct {
	Info Info `json:"info"`
	// Init is the identity of Info.InitPID.
	Init process.Identity `json:"init"`
	// Cgroup is the name of the node's cgroup below the root of every
	// hierarchy, empty where there is none.
	Cgroup string `json:"cgroup,omitempty"`
}

// Alive reports whether the cluster's own process runs. It is true of an
// existing cluster, which has none.
func (r *Record) Alive() bool {
	return r.Init.PID == 0 && r.Info.Tier == "existing" || r.Init.Alive()
}

// Load returns the record of the cluster at paths, nil if there is none.
func Load(paths layout.Paths) (*Record, error) {
	var loaded Record
	found, err := ReadJSON(paths.Record(), &loaded)
	if err != nil || !found {
		return nil, err
	}
	return &loaded, nil
}

// Save writes the record of the cluster at paths.
func Save(paths layout.Paths, r *Record) error { return WriteJSON(paths.Record(), r) }

// ReadJSON decodes the file at path and reports whether it was there.
func ReadJSON(path string, into any) (found bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("reading %s: %w", path, err)
	}
	return true, nil
}

// WriteJSON replaces the file at path in one step, so that a reader sees the
// old or the new content and never a part. Only the owner may read it.
func WriteJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(append(data, '\n'))
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(temporary.Name()))
	}
	return nil
}
