package verification

import (
	"encoding/json"
	"strings"
	"testing"
)

const fuzzDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// FuzzTag reads whatever stands under a .sig or .att tag: manifest, payload and annotations.
func FuzzTag(f *testing.F) {
	f.Add([]byte(`{"layers":[{"mediaType":"a","digest":"`+fuzzDigest+`","size":2,"annotations":{"dev.cosignproject.cosign/signature":"AAAA","dev.sigstore.cosign/bundle":"{\"Payload\":{\"body\":\"e30=\",\"logID\":\"aa\"}}","dev.sigstore.cosign/rfc3161timestamp":"{\"SignedRFC3161Timestamp\":\"AAAA\"}"}}]}`),
		[]byte(`{"critical":{"image":{"docker-manifest-digest":"`+fuzzDigest+`"}}}`))
	f.Add([]byte(`{"layers":[{"annotations":{"predicateType":"x"},"urls":["http://a"]}]}`),
		[]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, rawManifest, content []byte) {
		m, err := readManifest(rawManifest)
		if err != nil {
			return
		}
		for _, l := range m.Layers {
			if l.unfit(maxPayload) == nil && (l.Size > maxPayload || len(l.URLs) > 0) {
				t.Errorf("layer %+v is fit", l)
			}
			if s, err := readTagSignature(l, content, fuzzDigest); err == nil {
				look(t, s)
			}
			list, _ := readTagAttestations(l, content, fuzzDigest)
			for _, s := range list {
				look(t, s)
			}
		}
	})
}

// FuzzBundle reads whatever a referrer holds.
func FuzzBundle(f *testing.F) {
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"a"}},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"AAAA"},"tlogEntries":[{}],"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AAAA"}]}},"messageSignature":{}}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		// Libraries may panic on strangers' content; here, as in use, that is no more than an error.
		_ = safely(func() error {
			s, err := readBundle(raw, fuzzDigest)
			if err == nil {
				look(t, s)
			}
			return err
		})
	})
}

// FuzzStatement reads what somebody signed.
func FuzzStatement(f *testing.F) {
	hex := strings.TrimPrefix(fuzzDigest, "sha256:")
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"p","subject":[{"digest":{"sha256":"` + hex + `"}}],"predicate":{}}`))
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"p","subject":[{"digest":{"sha512":"` + hex + `"}},null],"predicate":null}`))
	f.Add([]byte(`{"critical":{"image":{"docker-manifest-digest":"` + fuzzDigest + `"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if said, err := readStatement(raw, fuzzDigest); err == nil {
			if said.predicateType == "" || !strings.Contains(strings.ToLower(string(unescaped(raw))), hex) {
				t.Errorf("%q is a statement about %s", raw, fuzzDigest)
			}
		}
		if _, err := readPayload(raw, fuzzDigest); err == nil && !strings.Contains(string(unescaped(raw)), fuzzDigest) {
			t.Errorf("%q is a payload about %s", raw, fuzzDigest)
		}
	})
}

// look does with a signature what is done without any authority.
func look(t *testing.T, s *signed) {
	t.Helper()
	if len(s.signature) == 0 || len(s.message) == 0 && s.format == "" {
		t.Errorf("a signature of nothing: %+v", s)
	}
	if s.entries != nil {
		_, _ = s.entries()
	}
	_, _ = s.claim()
}

// unescaped has no escapes in its strings, so that a text can be looked for.
func unescaped(raw []byte) []byte {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return raw
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return raw
	}
	return plain
}
