package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestDirectoryKeepsItsCertificates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "certs")
	clock := clocktesting.NewFakeClock(start())
	first, err := OpenDirectory(path, testPolicy(), clock)
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenDirectory(path, testPolicy(), clock)
	if err != nil {
		t.Fatal(err)
	}
	if !second.current.Load().equal(first.current.Load()) {
		t.Error("opening again made other certificates")
	}
	ca, err := os.ReadFile(first.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := accepts(t, ca, second.current.Load().Serving.Cert, start()); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(path, keyServingKey))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v", info.Mode())
	}
}

func TestDirectoryRenewsItsFiles(t *testing.T) {
	path := t.TempDir()
	clock := clocktesting.NewFakeClock(start())
	d, err := OpenDirectory(path, testPolicy(), clock)
	if err != nil {
		t.Fatal(err)
	}
	before := d.current.Load()
	clock.SetTime(start().Add(61 * day))
	if err := d.renew(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenDirectory(path, testPolicy(), clock)
	if err != nil {
		t.Fatal(err)
	}
	if again.current.Load().Serving.Cert.Equal(before.Serving.Cert) {
		t.Error("the serving certificate was not renewed")
	}
}

func TestDirectoryLeavesForeignFilesAlone(t *testing.T) {
	path := t.TempDir()
	file := filepath.Join(path, keyServingKey)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenDirectory(path, testPolicy(), clocktesting.NewFakeClock(start()))
	if err == nil || !strings.Contains(err.Error(), "empty it") {
		t.Errorf("got error %v", err)
	}
	content, err := os.ReadFile(file)
	if err != nil || string(content) != "mine" {
		t.Errorf("the file now holds %q (%v)", content, err)
	}
}
