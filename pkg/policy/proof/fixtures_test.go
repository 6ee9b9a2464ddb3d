package proof_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

const vulnURI = "https://cosign.sigstore.dev/attestation/vuln/v1"

// noon is when the tests judge.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func digest() string { return "sha256:" + strings.Repeat("a", 64) }

// context of a judgement in production.
func context(t testing.TB) proof.Context {
	t.Helper()
	ref, err := image.Parse("r.local/team/web@" + digest())
	if err != nil {
		t.Fatal(err)
	}
	return proof.Context{Image: ref, Environment: "production", Now: noon()}
}

// imagePolicy reads a spec in YAML; images and environments need not be there.
func imagePolicy(t testing.TB, spec string) *v1alpha1.ImagePolicy {
	t.Helper()
	policy := &v1alpha1.ImagePolicy{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(spec, "\t", " ")), &policy.Spec); err != nil {
		t.Fatalf("%v in\n%s", err, spec)
	}
	if policy.Spec.Images == nil {
		policy.Spec.Images = []string{"r.local/**"}
	}
	if policy.Spec.Environments == nil {
		policy.Spec.Environments = []string{"production"}
	}
	return policy
}

func tryCompile(t testing.TB, spec string) (*proof.Requirement, error) {
	t.Helper()
	compiler, err := proof.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.Compile(imagePolicy(t, spec))
}

func compile(t testing.TB, spec string) *proof.Requirement {
	t.Helper()
	requirement, err := tryCompile(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	return requirement
}

// signed is a signature that was verified: "AUTHORITY by SIGNER".
func signed(text string) proof.Signature {
	authority, signer, _ := strings.Cut(text, " by ")
	return proof.Signature{Authority: authority, Signer: signer, Format: v1alpha1.FormatTag}
}

func evidence(signatures ...string) *proof.Evidence {
	e := &proof.Evidence{Digest: digest(), CollectedAt: noon()}
	for _, text := range signatures {
		e.Signatures = append(e.Signatures, signed(text))
	}
	return e
}

// attested is a verified attestation.
func attested(by, uri, predicate string, at time.Time) proof.Attestation {
	signature := signed(by)
	signature.Time = at
	return proof.Attestation{Signature: signature, PredicateType: uri, Predicate: []byte(predicate)}
}
