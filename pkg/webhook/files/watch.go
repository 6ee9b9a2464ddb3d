package files

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// reloadInterval is how often files are looked at. Looking at the content is cheap for a handful of small
// files, and sees what notifications miss: network file systems and the symbolic links of ConfigMaps.
const reloadInterval = time.Second

// Source is a directory that is read again when it changes.
type Source struct {
	loader    *Loader
	directory fs.FS
	log       logr.Logger

	current atomic.Pointer[Set]
	// sum of the content that was tried last, good or bad.
	sum [sha256.Size]byte
}

// Open loads the directory. Its problems are errors now; later ones are logged, and the last good set stays.
func Open(ctx context.Context, directory fs.FS, log logr.Logger) (*Source, error) {
	loader, err := NewLoader()
	if err != nil {
		return nil, err
	}
	s := &Source{loader: loader, directory: directory, log: log}
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Set returns what the directory held when it was last good.
func (s *Source) Set() *Set { return s.current.Load() }

// Watch reloads what changes until ctx ends.
func (s *Source) Watch(ctx context.Context, c clock.WithTicker) {
	ticker := c.NewTicker(reloadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			if err := s.reload(ctx); err != nil {
				s.log.Error(err, "the changed configuration is not used")
			}
		}
	}
}

func (s *Source) reload(ctx context.Context) error {
	sum, err := s.checksum()
	if err != nil {
		return err
	}
	if sum == s.sum {
		return nil
	}
	s.sum = sum
	set, err := s.loader.Load(ctx, s.directory)
	if err != nil {
		return err
	}
	s.current.Store(set)
	s.log.Info("configuration loaded", "environments", len(set.Environments), "imagePolicies", len(set.ImagePolicies))
	return nil
}

func (s *Source) checksum() ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	names, err := Names(s.directory)
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	for _, name := range names {
		content, err := fs.ReadFile(s.directory, name)
		if err != nil {
			return sum, fmt.Errorf("reading the configuration: %w", err)
		}
		fmt.Fprintf(hash, "%d %s %d ", len(name), name, len(content))
		hash.Write(content)
	}
	hash.Sum(sum[:0])
	return sum, nil
}

// Environment implements admission.Policies. What it returns must not be changed, and is the same pointer until
// the files change.
func (s *Source) Environment(_ context.Context, name string) (*v1alpha1.Environment, error) {
	set := s.Set()
	for i := range set.Environments {
		if set.Environments[i].Name == name {
			return &set.Environments[i], nil
		}
	}
	return nil, apierrors.NewNotFound(v1alpha1.Resource("environments").GroupResource(), name)
}

// EnvironmentOf implements admission.Policies. Files know no labels of namespaces, so it is by name only.
func (s *Source) EnvironmentOf(_ context.Context, namespace string) (string, error) {
	if owner := v1alpha1.Owner(s.Set().Environments, namespace, nil); owner != nil {
		return owner.Name, nil
	}
	return "", nil
}

// ImagePolicies implements admission.Policies.
func (s *Source) ImagePolicies(_ context.Context, environment string) ([]*v1alpha1.ImagePolicy, error) {
	set := s.Set()
	var naming []*v1alpha1.ImagePolicy
	for i := range set.ImagePolicies {
		for _, name := range set.ImagePolicies[i].Spec.Environments {
			if name == environment {
				naming = append(naming, &set.ImagePolicies[i])
				break
			}
		}
	}
	return naming, nil
}
