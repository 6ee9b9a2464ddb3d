package sigstore

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Cosign is a major version of the cosign program.
type Cosign string

// The versions that are there.
const (
	V2 Cosign = "v2"
	V3 Cosign = "v3"
)

// Format is how a signature is attached to an image.
type Format string

// The formats that cosign writes.
const (
	// Tag is cosign's own: an image under the tag sha256-DIGEST.sig or .att.
	Tag Format = "tag"
	// Bundle is a Sigstore bundle that refers to the image by OCI 1.1, or through the fallback tag
	// sha256-DIGEST where the registry has no referrers API.
	Bundle Format = "bundle"
)

// Witness is who says when something was signed.
type Witness string

// The witnesses. Bundles have both by default, tags a time stamp alone: they have no place for an entry of Rekor 2.
const (
	LogAndStamp Witness = "log and stamp"
	// LogAlone is an entry in Rekor 1, whose promise has a time, also in a Bundle.
	LogAlone   Witness = "log alone"
	StampAlone Witness = "stamp alone"
)

// Witness returns the default of a format.
func (f Format) Witness() Witness {
	if f == Tag {
		return StampAlone
	}
	return LogAndStamp
}

// Key is a key pair as `cosign generate-key-pair` makes it.
type Key struct {
	// Private is the path of the encrypted private key; its password is empty.
	Private string
	// Public is the public key in PEM.
	Public []byte
}

// SignOptions say what is signed, by whom and how. Exactly one of Key and Identity is set.
type SignOptions struct {
	// Image is named by digest.
	Image    image.Reference
	Key      *Key
	Identity *Identity
	// Cosign and Format default to V3 and Bundle.
	Cosign Cosign
	Format Format
	// Logged has a key's signature witnessed; an Identity's always is.
	Logged bool
	// Witness defaults to that of the format.
	Witness Witness
	// Late has the signature witnessed a day late, by a timestamp authority or log that the trusted root trusts
	// as well: after an Identity's certificate has expired.
	Late bool
}

// EnteredInRekor1 tells whether the signature has a promise of Rekor 1, with a time.
func (o SignOptions) EnteredInRekor1() bool {
	o = o.withDefaults()
	witnessed := o.Logged || o.Identity != nil
	return witnessed && (o.Witness == LogAlone || o.Format == Tag && o.Witness == LogAndStamp)
}

// AttestOptions are SignOptions with a statement.
type AttestOptions struct {
	SignOptions
	// PredicateType is a URI or one of cosign's short names.
	PredicateType string
	// Predicate is encoded as JSON.
	Predicate any
}

// NewKey makes a key pair; encrypting the private key is slow on purpose.
func (s *Sigstore) NewKey(t testing.TB) *Key {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "cosign")
	s.cosign(t, V2, "generate-key-pair", "--output-key-prefix", prefix)
	public, err := os.ReadFile(prefix + ".pub")
	if err != nil {
		t.Fatalf("reading a public key: %v", err)
	}
	return &Key{Private: prefix + ".key", Public: public}
}

// Sign signs an image with the real cosign, and fails the test where that fails.
func (s *Sigstore) Sign(t testing.TB, options SignOptions) {
	t.Helper()
	options = options.withDefaults()
	args := append([]string{"sign", "--yes"}, s.signer(t, options)...)
	s.cosign(t, options.Cosign, append(args, options.Image.Name()+"@"+options.Image.Digest)...)
}

// Attest attaches a signed in-toto statement to an image with the real cosign.
func (s *Sigstore) Attest(t testing.TB, options AttestOptions) {
	t.Helper()
	options.SignOptions = options.withDefaults()
	path := filepath.Join(t.TempDir(), "predicate.json")
	writeJSON(t, path, options.Predicate)
	args := append([]string{"attest", "--yes", "--type", options.PredicateType, "--predicate", path}, s.signer(t, options.SignOptions)...)
	s.cosign(t, options.Cosign, append(args, options.Image.Name()+"@"+options.Image.Digest)...)
}

func (o SignOptions) withDefaults() SignOptions {
	if o.Cosign == "" {
		o.Cosign = V3
	}
	if o.Format == "" {
		o.Format = Bundle
	}
	if o.Witness == "" {
		o.Witness = o.Format.Witness()
	}
	return o
}

// signer returns the flags that say who signs, where that is witnessed and how it is attached.
func (s *Sigstore) signer(t testing.TB, o SignOptions) []string {
	t.Helper()
	var args []string
	switch {
	case o.Image.Digest == "", (o.Key == nil) == (o.Identity == nil):
		t.Fatalf("signing %q: want an image by digest, and either a key or an identity", o.Image)
	case o.Key != nil:
		args = append(args, "--key", o.Key.Private)
	default:
		args = append(args, "--identity-token", s.tokenFile(t, *o.Identity))
	}
	witnessed := o.Logged || o.Identity != nil
	if o.Format == Bundle {
		return append(args, s.bundleFlags(o, witnessed)...)
	}
	logged := witnessed && o.Witness != StampAlone
	args = append(args, "--new-bundle-format=false", "--use-signing-config=false", fmt.Sprintf("--tlog-upload=%t", logged))
	if logged {
		args = append(args, "--rekor-url", s.log1(o.Late))
	}
	if witnessed && o.Witness != LogAlone {
		args = append(args, "--timestamp-server-url", s.stamps(o.Late)+"/api/v1/timestamp")
	}
	if o.Identity != nil {
		// Where it would look for the key of the certificate transparency log is the public instance.
		args = append(args, "--fulcio-url", s.fulcio, "--insecure-skip-verify")
	}
	return args
}

func (s *Sigstore) bundleFlags(o SignOptions, witnessed bool) []string {
	args := []string{"--new-bundle-format=true"}
	if !o.Late { // cosign would refuse what it just signed
		args = append(args, "--trusted-root", s.path("trusted-root.json"))
	}
	switch {
	case witnessed:
		return append(args, "--signing-config", s.online[signing{o.Cosign, o.Witness, o.Late}])
	case o.Cosign == V2:
		return append(args, "--tlog-upload=false")
	}
	return append(args, "--signing-config", s.offline)
}

// CosignVerify asks the cosign that signs whether the image is signed by the signer, in the format and with the
// witnesses of the options, and returns its words where it is not.
func (s *Sigstore) CosignVerify(t testing.TB, o SignOptions) error {
	t.Helper()
	o = o.withDefaults()
	return s.tryCosign(t, o.Cosign, append([]string{"verify"}, s.verification(o)...)...)
}

// CosignVerifyAttestation asks likewise whether there is an attestation of the type.
func (s *Sigstore) CosignVerifyAttestation(t testing.TB, o AttestOptions) error {
	t.Helper()
	o.SignOptions = o.withDefaults()
	return s.tryCosign(t, o.Cosign, append([]string{"verify-attestation", "--type", o.PredicateType}, s.verification(o.SignOptions)...)...)
}

// verification returns the arguments that say whom to trust, and the image.
func (s *Sigstore) verification(o SignOptions) []string {
	args := []string{"--trusted-root", s.path("trusted-root.json"), fmt.Sprintf("--new-bundle-format=%t", o.Format == Bundle)}
	witnessed := o.Logged || o.Identity != nil
	if witnessed && o.Witness != LogAlone && (o.Cosign == V2 || o.Format == Tag) {
		args = append(args, "--use-signed-timestamps")
	}
	if !witnessed || o.Witness == StampAlone {
		args = append(args, "--insecure-ignore-tlog")
	}
	switch {
	case o.Key != nil:
		args = append(args, "--key", strings.TrimSuffix(o.Key.Private, ".key")+".pub")
	default:
		args = append(args, "--certificate-identity", o.Identity.Subject, "--certificate-oidc-issuer", o.Identity.Issuer)
	}
	return append(args, o.Image.Name()+"@"+o.Image.Digest)
}

// cosign runs the program, and fails the test where that fails.
func (s *Sigstore) cosign(t testing.TB, version Cosign, args ...string) {
	t.Helper()
	if err := s.tryCosign(t, version, args...); err != nil {
		t.Fatal(err)
	}
}

func (s *Sigstore) tryCosign(t testing.TB, version Cosign, args ...string) error {
	t.Helper()
	command := exec.CommandContext(t.Context(), s.programs[version], args...)
	command.Env = append(cleanEnvironment(s.dir), "COSIGN_PASSWORD=")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("running cosign %s %v: %w\n%s", version, args, err, output)
	}
	return nil
}
