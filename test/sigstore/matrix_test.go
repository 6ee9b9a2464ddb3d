//go:build sigstore

package sigstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// cell is one question of the matrix: what was signed is the same for all cells of a group, and the cell
// says which image is asked about, by which policy and when.
type cell struct {
	// authority that the policy trusts.
	authority func(*world, sigstore.Witness) v1alpha1.Authority
	// image that is asked about; the one that was signed where it is nil.
	image func(specimen) image.Reference
	// later is how long after the signing the question is asked.
	later time.Duration
	// want is in the reason why the image is refused; empty where it is verified.
	want map[subject]string
}

// subject is what is signed.
type subject string

const (
	signatures   subject = "signature"
	attestations subject = "attestation"
)

// both is for a reason that is the same for signatures and attestations.
func both(reason string) map[subject]string {
	return map[subject]string{signatures: reason, attestations: reason}
}

// transplanted and the others are the images of a specimen that are not the signed one.
func transplanted(s specimen) image.Reference { return s.transplanted }
func forged(s specimen) image.Reference       { return s.forged }
func signedLate(s specimen) image.Reference   { return s.late }

// keyCells are asked about images that a key signed, keylessCells about those that a workflow signed. The
// question for an identity about a key's image, and for a key about a certificate's, is asked on purpose:
// mistaking one for the other must verify nothing.
func keyCells() map[string]cell {
	return map[string]cell{
		"right":          {authority: trustedKey},
		"wrong key":      {authority: foreignKey, want: both("signed by another key")},
		"wrong identity": {authority: trustedWorkflow, want: both("signed by a key and not by a certificate")},
		"wrong issuer":   {authority: otherIssuer, want: both("signed by a key and not by a certificate")},
		"expired":        {authority: expiredKey, want: map[subject]string{signatures: "its time ended at", attestations: `the time of key "release" ended at`}},
		"two days later": {authority: trustedKey, later: 2 * maxAge, want: tooOld()},
		"transplanted":   {authority: trustedKey, image: transplanted, want: both("is for another image")},
		"tampered":       {authority: trustedKey, image: forged, want: both("signed by another key")},
	}
}

func keylessCells(options sigstore.SignOptions) map[string]cell {
	const notThen = "its certificate is not by a trusted authority, or was not valid when it was signed"
	late := notThen
	if options.EnteredInRekor1() {
		late = "integrated time outside certificate validity"
	}
	return map[string]cell{
		"right":               {authority: trustedWorkflow},
		"wrong key":           {authority: foreignKey, want: both("signed by another key")},
		"wrong identity":      {authority: otherRepository, want: both("who is not trusted")},
		"wrong branch":        {authority: otherBranch, want: both(`"refs/heads/main" of SourceRepositoryRef, which is not trusted`)},
		"wrong issuer":        {authority: otherIssuer, want: both("who is not trusted")},
		"expired authority":   {authority: expiredAuthority, want: both(notThen)},
		"expired certificate": {authority: trustedWorkflow, image: signedLate, want: both(late)},
		"two days later":      {authority: trustedWorkflow, later: 2 * maxAge, want: tooOld()},
		"transplanted":        {authority: trustedWorkflow, image: transplanted, want: both("is for another image")},
		"tampered":            {authority: trustedWorkflow, image: forged, want: both("its signature is not by the key of its certificate")},
	}
}

// tooOld is for attestations alone: a signature by what was valid then counts for good.
func tooOld() map[subject]string { return map[subject]string{attestations: "old, at most 24h allowed"} }

// group is one kind of thing that cosign attaches to an image.
type group struct {
	signer, registry string
	about            subject
	options          sigstore.SignOptions
	cells            map[string]cell
}

// String names the group as a test.
func (g group) String() string {
	return strings.Join([]string{g.registry, "cosign " + string(g.options.Cosign), string(g.options.Format), g.signer, string(g.about)}, "/")
}

// unwitnessed is what cosign attaches and does not verify itself: see testCosign3StampsWhatItDoesNotVerify.
func (g group) unwitnessed() bool {
	return g.options.Cosign == sigstore.V3 && g.options.Format == sigstore.Tag && g.about == attestations &&
		g.options.Identity != nil && g.options.Witness != sigstore.LogAlone
}

// groups are all that both versions of cosign can attach to an image and verify themselves.
func (w *world) groups(registry string) []group {
	var all []group
	for _, cosign := range []sigstore.Cosign{sigstore.V2, sigstore.V3} {
		for _, format := range []sigstore.Format{sigstore.Tag, sigstore.Bundle} {
			for _, about := range []subject{signatures, attestations} {
				options := sigstore.SignOptions{Cosign: cosign, Format: format, Key: w.trusted, Witness: format.Witness()}
				all = append(all, group{"key", registry, about, options, keyCells()})
				options.Key, options.Identity = nil, &w.workflow
				for _, witness := range []sigstore.Witness{sigstore.LogAndStamp, sigstore.LogAlone, sigstore.StampAlone} {
					options.Witness = witness
					all = append(all, group{"keyless, " + string(witness), registry, about, options, keylessCells(options)})
				}
			}
		}
	}
	return slices.DeleteFunc(all, group.unwitnessed)
}

// testMatrix asks Rune about everything that both versions of cosign can attach to an image.
func (w *world) testMatrix(t *testing.T) {
	for name, registry := range map[string]*sigstore.Registry{
		"referrers API": sigstore.RegistryWithReferrers(t), "no referrers API": w.sigstore.RegistryWithoutReferrers(t),
	} {
		for _, group := range w.groups(name) {
			t.Run(group.String(), func(t *testing.T) {
				t.Parallel()
				w.askAll(t, w.newSpecimen(t, registry, group.options, group.about), group)
			})
		}
	}
}

// askAll runs the cells of one group.
func (w *world) askAll(t *testing.T, s specimen, group group) {
	for name, cell := range group.cells {
		t.Run(name, func(t *testing.T) {
			asked := s.signed
			if cell.image != nil {
				asked = cell.image(s)
			}
			policy := policyOf(group.about, cell.authority(w, group.options.Witness))
			finding := w.ask(t, asked, policy, time.Now().Add(cell.later))
			expect(t, finding, cell.want[group.about])
		})
	}
}

// policyOf asks for a signature, or for a fresh scan without critical findings.
func policyOf(about subject, authority v1alpha1.Authority) *v1alpha1.ImagePolicy {
	policy := &v1alpha1.ImagePolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "images"},
		Spec: v1alpha1.ImagePolicySpec{
			Images: []string{"**"}, Environments: []string{environment}, Require: v1alpha1.RequireAny,
			Authorities: []v1alpha1.Authority{authority},
		},
	}
	if about == attestations {
		policy.Spec.Require = v1alpha1.RequireAttestationsOnly
		policy.Spec.Attestations = []v1alpha1.AttestationRequirement{{
			Name: "scan", PredicateType: "vuln", MaxAge: &metav1.Duration{Duration: maxAge},
			Conditions: []v1alpha1.AttestationCondition{{
				Name: "no-critical", Message: "there are critical vulnerabilities",
				Expression: `predicate.scanner.result.Results.all(r, r.Vulnerabilities.all(v, v.Severity != "CRITICAL"))`,
			}},
		}}
	}
	return policy
}
