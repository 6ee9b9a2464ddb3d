// Command krewpackage packs built plugins into the archives that krew installs, and fills in the krew
// manifest for them.
//
//	krewpackage -version v0.1.0 -out dist linux/amd64=bin/kubectl-rune...
//
// Equal inputs give equal bytes, so that a checksum in the manifest can be reproduced. It builds no
// binaries and publishes nothing.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	var r request
	flag.StringVar(&r.version, "version", "", "semantic version with a leading v")
	flag.StringVar(&r.out, "out", "dist", "directory for the archives and the manifest")
	flag.StringVar(&r.license, "license", "LICENSE", "license file, packed beside the binary")
	flag.StringVar(&r.template, "template", "krew/rune.yaml", "template of the manifest")
	flag.StringVar(&r.baseURI, "base-uri", "https://github.com/runeframeos/kubectl-rune/releases/download",
		"where the archives will be found; version and file name are appended")
	flag.Parse()
	if err := run(r, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "krewpackage:", err)
		os.Exit(1)
	}
}

type request struct {
	version, out, license, template, baseURI string
}

// run writes one archive per target ("os/arch=binary") and the manifest that names them all, and
// prints the paths of what it wrote.
func run(r request, targets []string) error {
	if !strings.HasPrefix(r.version, "v") {
		return fmt.Errorf("version %q must begin with v: krew accepts no other", r.version)
	}
	if len(targets) == 0 {
		return fmt.Errorf("no target: name at least one as OS/ARCH=BINARY")
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return fmt.Errorf("creating directory %q: %w", r.out, err)
	}
	m := manifest{Version: r.version}
	for _, target := range targets {
		a, err := r.pack(target)
		if err != nil {
			return err
		}
		m.Archives = append(m.Archives, a)
		fmt.Println(filepath.Join(r.out, a.file))
	}
	path := filepath.Join(r.out, filepath.Base(r.template))
	if err := m.write(r.template, path); err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}
