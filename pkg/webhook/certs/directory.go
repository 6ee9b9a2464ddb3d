package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// renewInterval is how often a Directory looks whether something is due.
const renewInterval = time.Hour

// Directory keeps the material in files, for a webhook without an API server: ca.crt for those who
// connect, and the keys beside it, readable by the owner only.
type Directory struct {
	path    string
	policy  Policy
	clock   clock.WithTicker
	current atomic.Pointer[Material]
}

// OpenDirectory takes over what the directory holds, makes what is missing and writes it. Damaged files
// are an error: they may be somebody else's.
func OpenDirectory(path string, policy Policy, c clock.WithTicker) (*Directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making the certificate directory: %w", err)
	}
	d := &Directory{path: path, policy: policy, clock: c}
	data := map[string][]byte{}
	for _, key := range []string{keyCACert, keyCAKey, keyNextCACert, keyNextCAKey, keyRetiredCAs, keyServingCert, keyServingKey} {
		content, err := os.ReadFile(filepath.Join(path, key))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the certificate directory: %w", err)
		}
		data[key] = content
	}
	if len(data) > 0 {
		m, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate directory %q: %w: empty it to have everything made anew", path, err)
		}
		d.current.Store(m)
	}
	return d, d.renew()
}

// CAFile is what those who connect must trust.
func (d *Directory) CAFile() string { return filepath.Join(d.path, keyCACert) }

// GetCertificate is the hook of crypto/tls.
func (d *Directory) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return d.current.Load().TLS(), nil
}

// Watch renews what becomes due until ctx ends.
func (d *Directory) Watch(ctx context.Context) {
	ticker := d.clock.NewTicker(renewInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			if err := d.renew(); err != nil {
				logr.FromContextOrDiscard(ctx).Error(err, "renewing certificates")
			}
		}
	}
}

func (d *Directory) renew() error {
	m, changes, err := d.policy.Due(d.current.Load(), d.clock.Now(), func(*x509.Certificate) bool { return true })
	if err != nil || len(changes) == 0 {
		return err
	}
	data := m.data()
	for _, key := range []string{keyNextCACert, keyNextCAKey, keyRetiredCAs} {
		if _, ok := data[key]; !ok {
			if err := os.Remove(filepath.Join(d.path, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing a former authority: %w", err)
			}
		}
	}
	for key, content := range data {
		if err := os.WriteFile(filepath.Join(d.path, key), content, 0o600); err != nil {
			return fmt.Errorf("writing certificates: %w", err)
		}
	}
	d.current.Store(m)
	return nil
}
