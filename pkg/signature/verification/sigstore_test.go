package verification_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	cosignbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/rekor/pkg/pki"
	"github.com/sigstore/rekor/pkg/types"
	_ "github.com/sigstore/rekor/pkg/types/dsse"
	dsse_v001 "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord"
	hashedrekord_v001 "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

const (
	ciIssuer  = "https://token.actions.githubusercontent.com"
	ciSubject = "https://github.com/team/web/.github/workflows/release.yaml@refs/heads/main"
)

// instance is a whole Sigstore in memory: a certificate authority of our own, so that tests can issue any certificate,
// and the log and the time stamps of sigstore-go's virtual one.
type instance struct {
	*ca.VirtualSigstore
	root, intermediate *x509.Certificate
	intermediateKey    *ecdsa.PrivateKey
	// expired is another authority that the trust root names too; it may be nil.
	expired *instance
}

func newInstance(t testing.TB, expired ...time.Duration) *instance {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	must(t, err)
	rootCertificate, rootKey, err := ca.GenerateRootCa()
	must(t, err)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	until := time.Now().Add(2 * time.Hour)
	for _, ago := range expired {
		until = time.Now().Add(-ago)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "intermediate"},
		NotBefore: time.Now().Add(-4 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true, IsCA: true,
	}
	return &instance{
		VirtualSigstore: virtual, root: rootCertificate, intermediateKey: private,
		intermediate: issue(t, template, rootCertificate, private.Public(), rootKey),
	}
}

func issue(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return certificate
}

// witnessedBy issues certificates as before, but another instance bears witness.
func (i *instance) witnessedBy(other *instance) *instance {
	mixed := *i
	mixed.VirtualSigstore = other.VirtualSigstore
	return &mixed
}

// trustRoot in JSON. With a log of certificates, what it promised is asked for.
func (i *instance) trustRoot(t testing.TB, withCertificateLog bool) string {
	t.Helper()
	authorities := []root.CertificateAuthority{&root.FulcioCertificateAuthority{
		Root: i.root, Intermediates: []*x509.Certificate{i.intermediate}, URI: "https://fulcio.example",
		ValidityPeriodStart: time.Now().Add(-5 * time.Hour),
	}}
	if i.expired != nil {
		authorities = append(authorities, &root.FulcioCertificateAuthority{
			Root: i.expired.root, Intermediates: []*x509.Certificate{i.expired.intermediate}, URI: "https://expired.example",
			ValidityPeriodStart: time.Now().Add(-5 * time.Hour),
		})
	}
	var certificateLogs map[string]*root.TransparencyLog
	if withCertificateLog {
		certificateLogs = withRawIDs(t, i.CTLogs())
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, certificateLogs, i.TimestampingAuthorities(), withRawIDs(t, i.RekorLogs()))
	must(t, err)
	raw, err := trusted.MarshalJSON()
	must(t, err)
	return string(raw)
}

// withRawIDs: the virtual Sigstore has the IDs of its logs in hexadecimal, a trusted root has them raw.
func withRawIDs(t testing.TB, logs map[string]*root.TransparencyLog) map[string]*root.TransparencyLog {
	t.Helper()
	result := maps.Clone(logs)
	for id, log := range result {
		raw, err := hex.DecodeString(id)
		must(t, err)
		copied := *log
		copied.ID = raw
		result[id] = &copied
	}
	return result
}

// identity is what a certificate says.
type identity struct {
	subject, issuer string
	// ref and repository of the source; left out where they are empty.
	ref, repository string
}

func ci() identity {
	return identity{subject: ciSubject, issuer: ciIssuer, ref: "refs/heads/main", repository: "https://github.com/team/web"}
}

// holder has a certificate.
type holder struct {
	key
	certificate *x509.Certificate
	instance    *instance
}

// certify issues a certificate that is valid for ten minutes from a time.
func (i *instance) certify(t testing.TB, who identity, from time.Time) holder {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	signer, err := signature.LoadECDSASigner(private, crypto.SHA256)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: from, NotAfter: from.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if parsed, err := url.Parse(who.subject); err == nil && parsed.Scheme != "" {
		template.URIs = []*url.URL{parsed}
	} else {
		template.EmailAddresses = []string{who.subject}
	}
	for arc, value := range map[int]string{8: who.issuer, 12: who.repository, 14: who.ref} {
		if value == "" {
			continue
		}
		der, err := asn1.MarshalWithParams(value, "utf8")
		must(t, err)
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, arc}, Value: der})
	}
	if who.issuer != "" {
		// Fulcio writes the issuer twice; the elder form is no DER.
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(who.issuer)})
	}
	certificate := issue(t, template, i.intermediate, private.Public(), i.intermediateKey)
	return holder{key: keyOf(t, signer, private.Public()), certificate: certificate, instance: i}
}

// witness says what bears witness to a bundle.
type witness struct {
	log, stamp bool
	// at is the log's time; now if zero.
	at time.Time
}

// bundle of a statement that the holder of the certificate signed.
func (h holder) bundle(t testing.TB, statement []byte, by witness) *protobundle.Bundle {
	t.Helper()
	envelope := h.envelope(t, statement)
	sig, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	must(t, err)
	b := &protobundle.Bundle{
		MediaType: bundleV03,
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: h.certificate.Raw}},
		},
		Content: content(t, envelope),
	}
	if by.log {
		b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{h.entry(t, envelope, sig, by.at)}
	}
	if by.stamp {
		b.VerificationMaterial.TimestampVerificationData = h.instance.stampOver(t, sig)
	}
	return b
}

func (i *instance) stampOver(t testing.TB, over []byte) *protobundle.TimestampVerificationData {
	t.Helper()
	stamp, err := i.TimestampResponse(over)
	must(t, err)
	return &protobundle.TimestampVerificationData{Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}}}
}

// entry in the log, with its promise and its proof.
func (h holder) entry(t testing.TB, envelope *dsse.Envelope, sig []byte, at time.Time) *protorekor.TransparencyLogEntry {
	t.Helper()
	pem, err := cryptoutils.MarshalCertificateToPEM(h.certificate)
	must(t, err)
	raw, err := json.Marshal(envelope)
	must(t, err)
	return h.instance.logged(t, rekorBody(t, "dsse", raw, sig, pem), at)
}

// entryOf logs the envelope of a bundle that a key signed.
func (i *instance) entryOf(t testing.TB, k key, b *protobundle.Bundle) *protorekor.TransparencyLogEntry {
	t.Helper()
	envelope := k.envelope(t, b.GetDsseEnvelope().GetPayload())
	sig := b.GetDsseEnvelope().GetSignatures()[0].GetSig()
	envelope.Signatures[0].Sig = encoded(sig)
	raw, err := json.Marshal(envelope)
	must(t, err)
	return i.logged(t, rekorBody(t, "dsse", raw, sig, []byte(k.public)), time.Time{})
}

// logged is an entry with the log's promise and proof.
func (i *instance) logged(t testing.TB, body []byte, at time.Time) *protorekor.TransparencyLogEntry {
	t.Helper()
	if at.IsZero() {
		at = time.Now()
	}
	promise, id := i.promise(t, body, at.Unix(), 0)
	proof, err := i.GetInclusionProof(body)
	must(t, err)
	rootHash, err := hex.DecodeString(*proof.RootHash)
	must(t, err)
	return &protorekor.TransparencyLogEntry{
		LogId: &protocommon.LogId{KeyId: id}, KindVersion: kindOf(t, body), IntegratedTime: at.Unix(), CanonicalizedBody: body,
		InclusionPromise: &protorekor.InclusionPromise{SignedEntryTimestamp: promise},
		InclusionProof: &protorekor.InclusionProof{
			RootHash: rootHash, TreeSize: *proof.TreeSize, Checkpoint: &protorekor.Checkpoint{Envelope: *proof.Checkpoint},
		},
	}
}

// rekorBody is what Rekor keeps of a signature, in one of its kinds.
func rekorBody(t testing.TB, kind string, artifact, sig, verifier []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(artifact)
	properties := types.ArtifactProperties{PublicKeyBytes: [][]byte{verifier}, PKIFormat: string(pki.X509), SignatureBytes: sig}
	version := dsse_v001.APIVERSION
	if kind == "hashedrekord" {
		properties.ArtifactHash, version = hex.EncodeToString(sum[:]), hashedrekord_v001.APIVERSION
	} else {
		properties.ArtifactBytes = artifact
	}
	proposed, err := types.NewProposedEntry(t.Context(), kind, version, properties)
	must(t, err)
	entry, err := types.CreateVersionedEntry(proposed)
	must(t, err)
	body, err := types.CanonicalizeEntry(t.Context(), entry)
	must(t, err)
	return body
}

// promise of the log to include an entry.
func (i *instance) promise(t testing.TB, body []byte, at, index int64) (promise, id []byte) {
	t.Helper()
	hexID, err := i.RekorLogID()
	must(t, err)
	id, err = hex.DecodeString(hexID)
	must(t, err)
	promise, err = i.RekorSignPayload(tlog.RekorPayload{LogID: hexID, IntegratedTime: at, LogIndex: index, Body: base64.StdEncoding.EncodeToString(body)})
	must(t, err)
	return promise, id
}

func kindOf(t testing.TB, body []byte) *protorekor.KindVersion {
	t.Helper()
	var read struct{ Kind, APIVersion string }
	must(t, json.NewDecoder(bytes.NewReader(body)).Decode(&read))
	return &protorekor.KindVersion{Kind: read.Kind, Version: read.APIVersion}
}

// tagOptions are what cosign 2 writes beside a signature under a tag.
func (h holder) tagOptions(t testing.TB, body, stamped []byte, by witness) []static.Option {
	t.Helper()
	pem, err := cryptoutils.MarshalCertificateToPEM(h.certificate)
	must(t, err)
	options := []static.Option{static.WithCertChain(pem, nil)}
	if by.log {
		at := by.at
		if at.IsZero() {
			at = time.Now()
		}
		promise, id := h.instance.promise(t, body, at.Unix(), 7)
		options = append(options, static.WithBundle(&cosignbundle.RekorBundle{
			SignedEntryTimestamp: promise,
			Payload: cosignbundle.RekorPayload{
				Body: base64.StdEncoding.EncodeToString(body), IntegratedTime: at.Unix(), LogIndex: 7, LogID: hex.EncodeToString(id),
			},
		}))
	}
	if by.stamp {
		stamp, err := h.instance.TimestampResponse(stamped)
		must(t, err)
		options = append(options, static.WithRFC3161Timestamp(&cosignbundle.RFC3161Timestamp{SignedRFC3161Timestamp: stamp}))
	}
	return options
}

// keyless trusts an identity of an instance.
func keyless(t testing.TB, i *instance, identities ...v1alpha1.CertificateIdentity) v1alpha1.Authority {
	t.Helper()
	return v1alpha1.Authority{
		Name: "ci", Keyless: &v1alpha1.KeylessAuthority{Identities: identities},
		TrustRoot: &v1alpha1.TrustRoot{Data: i.trustRoot(t, false)},
	}
}

func trustedIdentity() v1alpha1.CertificateIdentity {
	return v1alpha1.CertificateIdentity{Issuer: ciIssuer, Subject: ciSubject}
}
