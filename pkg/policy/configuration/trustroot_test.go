package configuration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/configuration"
)

type object = map[string]any

// trustRoot is a trusted_root.json with one of each, and a change to it.
func trustRoot(t *testing.T, change func(root object)) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	log := func() []any {
		return []any{object{
			"hashAlgorithm": "SHA2_256", "logId": object{"keyId": []byte("id")},
			"publicKey": object{"rawBytes": public, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": object{"start": "2026-01-01T00:00:00Z"}},
		}}
	}
	authority := func() []any {
		return []any{object{"certChain": object{"certificates": []any{object{"rawBytes": certificate}}}}}
	}
	root := object{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":     log(), "ctlogs": log(), "certificateAuthorities": authority(), "timestampAuthorities": authority(),
	}
	if change != nil {
		change(root)
	}
	content, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestTrustRootsByWhichNothingCouldBeVerifiedAreRefused(t *testing.T) {
	first := func(list string) func(object) object {
		return func(root object) object { return root[list].([]any)[0].(object) }
	}
	tests := map[string]struct {
		change func(object)
		want   []string
	}{
		"one of each": {func(object) {}, nil},
		"no other parts than are needed": {func(root object) {
			delete(root, "ctlogs")
			delete(root, "timestampAuthorities")
		}, nil},
		"bytes without padding": {func(root object) {
			key := first("tlogs")(root)["publicKey"].(object)
			text, _ := json.Marshal(key["rawBytes"])
			key["rawBytes"] = strings.NewReplacer("+", "-", "/", "_", "=", "", `"`, "").Replace(string(text))
		}, nil},
		"objects that are empty": {func(root object) {
			root["tlogs"], root["ctlogs"], root["certificateAuthorities"], root["timestampAuthorities"] = []any{object{}}, []any{object{}}, []any{object{}}, []any{object{}}
		}, []string{"tlogs[0] has no key", "certificateAuthorities[0] has no certificates", "ctlogs[0] has no key", "timestampAuthorities[0] has no certificates"}},
		"a number for a log":    {func(root object) { root["tlogs"] = []any{7} }, []string{"is no trusted_root.json: "}},
		"a log without its key": {func(root object) { first("tlogs")(root)["publicKey"] = object{} }, []string{"tlogs[0] has no key in publicKey.rawBytes (it is empty): paste"}},
		"a log with half a key": {func(root object) {
			first("ctlogs")(root)["publicKey"].(object)["rawBytes"] = []byte("half")
		}, []string{"ctlogs[0] has what is no public key"}},
		"a log without its name": {func(root object) { delete(first("tlogs")(root), "logId") }, []string{"tlogs[0] has no logId.keyId"}},
		"a log without a time":   {func(root object) { delete(first("tlogs")(root)["publicKey"].(object), "validFor") }, []string{"tlogs[0] has no publicKey.validFor.start"}},
		"an empty chain": {func(root object) {
			first("certificateAuthorities")(root)["certChain"] = object{"certificates": []any{}}
		}, []string{"certificateAuthorities[0] has no certificates"}},
		"a certificate that is none": {func(root object) {
			first("timestampAuthorities")(root)["certChain"] = object{"certificates": []any{object{"rawBytes": "!"}}}
		}, []string{"timestampAuthorities[0] has no certificate in certChain.certificates[0].rawBytes"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := keys{}.spec(t, `authorities: [{name: a, keyless: {identities: [{issuer: "https://i", subject: s@example.com}]}}]`)
			spec.Authorities[0].TrustRoot = &v1alpha1.TrustRoot{Data: trustRoot(t, tt.change)}
			var want []string
			for _, message := range tt.want {
				want = append(want, "spec.authorities[0].trustRoot.data: "+message)
			}
			requireProblems(t, spec, want)
		})
	}
}

func TestRSAKeysThatProveNothingOrTakeTooLongAreRefused(t *testing.T) {
	tests := map[string]struct {
		bits, exponent int
		want           string
	}{
		"as large as may be":  {8192, 65537, ""},
		"too large":           {8193, 65537, "is an RSA key of 8193 bits and may have at most 8192"},
		"much too large":      {16384, 65537, "is an RSA key of 16384 bits and may have at most 8192"},
		"an exponent of 3":    {2048, 3, ""},
		"an exponent of 1":    {2048, 1, "is an RSA key with the exponent 1"},
		"an even exponent":    {2048, 65536, "is an RSA key with the exponent 65536"},
		"too small, and odd":  {2047, 1, "is an RSA key of 2047 bits"},
		"an exponent of zero": {2048, 0, "is no public key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			modulus := new(big.Int).SetBit(big.NewInt(1), tt.bits-1, 1)
			der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: modulus, E: tt.exponent})
			if err != nil {
				t.Fatal(err)
			}
			spec := keys{}.spec(t, "authorities: [{name: a, key: {data: x}}]")
			spec.Authorities[0].Key.Data = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			var want []string
			if tt.want != "" {
				want = []string{"spec.authorities[0].key.data: " + tt.want}
			}
			requireProblems(t, spec, want)
		})
	}
}

func TestEnvironmentsThatThereCannotBeAreRefused(t *testing.T) {
	spec := newKeys(t).spec(t, "{environments: [production, Prod, '', eu.production, 'a b', -x], authorities: [{name: a, key: {data: ECDSA}}]}")
	requireProblems(t, spec, []string{
		`spec.environments[1]: no Environment can be named "Prod": `, `spec.environments[2]: no Environment can be named "": `,
		`spec.environments[4]: no Environment can be named "a b": `, `spec.environments[5]: no Environment can be named "-x": `,
	})
	if found := configuration.ImagePolicy(&v1alpha1.ImagePolicy{Spec: newKeys(t).spec(t, "{environments: [production], authorities: [{name: a, key: {data: ECDSA}}]}")}); len(found) > 0 {
		t.Errorf("problems %v of a name that there can be", found)
	}
}
