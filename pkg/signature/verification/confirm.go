package verification

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// confirm has cosign itself verify a signature that was found to be an authority's. Our own checks say who signed, when,
// and why something does not count, which cosign does not tell; nothing counts unless cosign accepts it too, so that
// a mistake of either lets nothing in.
func (s *signed) confirm(ctx context.Context, by accepted) error {
	a, said := by.authority, by.said
	options := cosign.CheckOpts{
		IgnoreTlog: a.witnesses == nil || !a.witnesses.log,
		IgnoreSCT:  a.witnesses == nil || !a.witnesses.promised,
		// Rekor 2 gives no time, so that where there is a stamp it counts, asked for or not.
		UseSignedTimestamps: said.stamped,
		// Nothing is looked up: what is not with the signature does not count.
		Offline: true,
	}
	if a.witnesses != nil {
		options.TrustedMaterial = a.witnesses.material
	}
	if a.key == nil {
		// Without an identity cosign would accept anybody to whom the trust root issued a certificate.
		options.Identities = []cosign.Identity{{Issuer: said.summary.Issuer, Subject: said.summary.SubjectAlternativeName}}
		return s.confirmBy(ctx, &options)
	}
	// Which hash the key signed with is not known.
	var problem error
	for _, verifier := range a.key.verifiers {
		options.SigVerifier = verifier
		if problem = s.confirmBy(ctx, &options); problem == nil {
			return nil
		}
	}
	return problem
}

// confirmBy asks cosign by one set of options.
func (s *signed) confirmBy(ctx context.Context, options *cosign.CheckOpts) error {
	if s.entity != nil {
		return s.confirmBundle(ctx, options)
	}
	hash, err := v1.NewHash(s.digest)
	if err != nil {
		return err
	}
	// A certificate beside a key's signature is left out: the key alone decides.
	candidate, err := s.cosigned(options.SigVerifier == nil)
	if err != nil {
		return err
	}
	encoded, err := candidate.Base64Signature()
	if err != nil {
		return err
	}
	if encoded == "" {
		options.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
		_, err = cosign.VerifyBlobAttestation(ctx, candidate, hash, options)
		return err
	}
	options.ClaimVerifier = cosign.SimpleClaimVerifier
	_, err = cosign.VerifyImageSignature(ctx, candidate, hash, options)
	return err
}

func (s *signed) confirmBundle(ctx context.Context, options *cosign.CheckOpts) error {
	algorithm, value, _ := strings.Cut(s.digest, ":")
	digest, err := hex.DecodeString(value)
	if err != nil {
		return fmt.Errorf("reading digest %q: %w", s.digest, err)
	}
	if options.TrustedMaterial == nil {
		// A key alone is traced back to nothing, and cosign wants to be told so.
		options.TrustedMaterial = root.TrustedMaterialCollection{}
	}
	_, err = cosign.VerifyNewBundle(ctx, options, verify.WithArtifactDigest(algorithm, digest), s.entity)
	return err
}
