package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func runFor(t *testing.T, args ...string) (out, errOut string, err error) {
	t.Helper()
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	var stdout, stderr bytes.Buffer
	err = run(t.Context(), func() {}, args, &stdout, &stderr)
	return stdout.String(), stderr.String(), err
}

func TestVersionAndHelp(t *testing.T) {
	out, _, err := runFor(t, "--version")
	if err != nil || !strings.HasPrefix(out, "rune-webhook ") {
		t.Errorf("--version: %q, %v", out, err)
	}
	_, errOut, err := runFor(t, "--help")
	if err != nil || !strings.Contains(errOut, "--drain-delay") {
		t.Errorf("--help: %q, %v", errOut, err)
	}
}

func TestModesExcludeEachOther(t *testing.T) {
	for args, want := range map[string]string{
		"x":                                 `unexpected argument "x"`,
		"--nope":                            "unknown flag",
		"--config a --kubeconfig b":         "exclude each other",
		"--cert-dir a":                      "--cert-dir needs --config",
		"--kubeconfig a":                    "--kubeconfig needs --url",
		"":                                  "not running in a cluster",
		"--config /does/not/exist":          "/does/not/exist",
		"--kubeconfig /none --url http://x": "reading --kubeconfig",
	} {
		_, _, err := runFor(t, strings.Fields(args)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

func TestEnvironmentCannotRedirectTrust(t *testing.T) {
	t.Setenv("SIGSTORE_ROOT_FILE", "/evil")
	t.Setenv("COSIGN_REPOSITORY", "evil")
	t.Setenv("TUF_ROOT", "/evil")
	_, _, err := runFor(t, "--config", "/does/not/exist")
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"SIGSTORE_ROOT_FILE", "COSIGN_REPOSITORY", "TUF_ROOT"} {
		if value, ok := os.LookupEnv(name); ok {
			t.Errorf("%s=%s is still set", name, value)
		}
	}
}
