package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

var update = flag.Bool("update", false, "write the golden files")

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// vuln is cosign's predicate type of that short name.
const vuln = "https://cosign.sigstore.dev/attestation/vuln/v1"

// port answers with evidence by ImagePolicy, which it judges as the real one does.
type port struct {
	digest   string
	stale    string
	resolve  error
	verify   map[string]error
	evidence map[string]proof.Evidence
	asked    chan image.Access
}

func (p *port) Resolve(_ context.Context, access image.Access, _ image.Reference) (image.Resolution, error) {
	if p.asked != nil {
		p.asked <- access
	}
	return image.Resolution{Digest: p.digest, Stale: p.stale}, p.resolve
}

func (p *port) Verify(_ context.Context, question proof.Question) (proof.Finding, error) {
	name := question.Requirement.ImagePolicy().Name
	if err := p.verify[name]; err != nil {
		return proof.Finding{}, err
	}
	evidence := p.evidence[name]
	evidence.Digest = question.Image.Digest
	return proof.Finding{
		Evidence: evidence, Stale: p.stale,
		Outcome: question.Requirement.Judge(&evidence, proof.Context{Image: question.Image, Environment: question.Environment, Now: question.Now}),
	}, nil
}

// missing is a registry's answer that there is no such image.
type missing struct{}

func (missing) Error() string {
	return `registry "registry.example.com" answered that it has no such image`
}

func (missing) Unwrap() error { return image.ErrNotExist }

func digest(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

// byKey is a signature in a .sig tag.
func byKey(authority string) proof.Signature {
	return proof.Signature{Authority: authority, Signer: digest("c"), Format: v1alpha1.FormatTag}
}

func keyless(at time.Time) proof.Signature {
	return proof.Signature{
		Authority: "pipeline", Format: v1alpha1.FormatBundle, Time: at,
		Signer: "https://token.actions.githubusercontent.com https://github.com/example/shop/.github/workflows/release.yaml@refs/heads/main",
	}
}

func attested(predicateType string, at time.Time) proof.Attestation {
	return proof.Attestation{Signature: keyless(at), PredicateType: predicateType, Predicate: json.RawMessage(`{}`)}
}

// good satisfies every policy that is about shop/web.
func good() *port {
	return &port{digest: digest("a"), evidence: map[string]proof.Evidence{
		"signed": {CollectedAt: now(), Signatures: []proof.Signature{byKey("release")}},
		"gates": {CollectedAt: now(), Attestations: []proof.Attestation{
			attested(vuln, now().Add(-3*time.Hour)), attested("https://spdx.dev/Document", now().Add(-3*time.Hour)),
		}},
	}}
}

const web = "registry.example.com/shop/web:v1"

// flow is one run of the command.
type flow struct {
	port    *port
	options Options
	code    exit.Code
	format  output.Format
}

func flows() map[string]flow {
	refused := errors.New(`registry "registry.example.com" cannot be reached: dial tcp 192.0.2.1:443: connect: connection refused`)
	unsigned := good()
	unsigned.evidence = map[string]proof.Evidence{"signed": {Rejected: []proof.Rejection{
		{Format: v1alpha1.FormatTag, Authority: "release", Reason: "signed by another key"},
		{Format: v1alpha1.FormatBundle, PredicateType: "https://slsa.dev/provenance/v1", Reason: "is for another image\x1b[2J"},
	}}, "gates": {Attestations: []proof.Attestation{attested(vuln, now().Add(-49*time.Hour))}}}
	stale := good()
	stale.stale = `registry "registry.example.com" does not answer (connection refused); verified 3h ago, counts until 2026-03-02T08:00:00Z`
	one := good()
	one.evidence["two-people"] = proof.Evidence{Signatures: []proof.Signature{byKey("alice"), byKey("bob")}}
	images := func(list ...string) Options { return Options{Images: list} }
	return map[string]flow{
		"satisfied-in-production": {port: good(), options: Options{Images: []string{web}, Environment: "production"}},
		"satisfied-everywhere":    {port: good(), options: images(web)},
		"not-satisfied":           {port: unsigned, options: images(web), code: exit.Denied},
		"as-json":                 {port: unsigned, options: Options{Images: []string{web}, Environment: "production"}, code: exit.Denied, format: output.JSON},
		"stale":                   {port: stale, options: Options{Images: []string{web}, Environment: "staging"}},
		"one-signer-counts-once":  {port: one, options: images("registry.example.com/vault/core@" + digest("b")), code: exit.Denied},
		"covered-by-none":         {port: good(), options: images("docker.io/library/nginx:1"), code: exit.Denied},
		"not-covered-here":        {port: good(), options: Options{Images: []string{"registry.example.com/vault/core:v1"}, Environment: "production"}, code: exit.Denied},
		"one-policy-by-name":      {port: good(), options: Options{Images: []string{web}, Policies: []string{"gates"}}},
		"image-does-not-exist": {port: &port{resolve: missing{}},
			options: images(web), code: exit.Denied},
		"registry-is-down": {port: &port{resolve: refused}, options: images(web), code: exit.Failed},
		"registry-fails-for-one-of-two-policies": {port: func() *port { p := good(); p.verify = map[string]error{"gates": refused}; return p }(),
			options: images(web), code: exit.Failed},
		"several-images": {port: good(), options: Options{Images: []string{web, "registry.example.com/other/app:v1"}, Environment: "staging"}, code: exit.Denied},
	}
}

func TestGolden(t *testing.T) {
	for name, f := range flows() {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, err := run(t, f)
			if code := exit.CodeOf(err); code != f.code {
				t.Errorf("exit code %d (%v), want %d", code, err, f.code)
			}
			golden(t, filepath.Join("testdata", "golden", name+".txt"), stdout+"--- stderr\n"+stderr)
		})
	}
}

func run(t *testing.T, f flow) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	o := f.options
	o.IOStreams = genericiooptions.IOStreams{Out: &out, ErrOut: &errOut}
	o.port, o.Clock, o.Output, o.Timeout = f.port, clocktesting.NewFakePassiveClock(now()), f.format, time.Minute
	if o.Config == nil {
		o.Config = []string{filepath.Join("testdata", "config")}
	}
	if err := o.Validate(); err != nil {
		return "", "", err
	}
	err = o.Run(t.Context())
	return out.String(), errOut.String(), err
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
