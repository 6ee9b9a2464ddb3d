package configuration_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/configuration"
)

// keys are public keys in PEM form, as they stand in a spec.
type keys map[string]string

func newKeys(t *testing.T) keys {
	t.Helper()
	made := keys{}
	add := func(name string, key crypto.PublicKey, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	one, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	add("ECDSA", one.Public(), err)
	two, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	add("ANOTHER", two.Public(), err)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	add("EDWARDS", edwards, err)
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	add("RSA2048", strong.Public(), err)
	made["RSA1024"] = weakKey()
	private, err := x509.MarshalPKCS8PrivateKey(one)
	if err != nil {
		t.Fatal(err)
	}
	made["PRIVATE"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	made["TWICE"] = made["ECDSA"] + made["ANOTHER"]
	made["INDENTED"] = "comment\n" + made["ECDSA"] + "\n"
	return made
}

// weakKey has 1024 bits, which package rsa does not generate any more.
func weakKey() string {
	return `-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCh6H1+e6NzVb96z5v+ErX83JSy
3zkHs5o0IQoePW+a6kt0neOC4DL0K9lUv5akntzVAGmOrIh5R2xj0MaOoN5x8QcO
H2SeMC60lMP8+3EC+cv79g37h5itKBBrQ/HmBlAgJhXrIrasVccT7X1r4YXMJ8S7
ENeqe5K0lIO2wCyaXwIDAQAB
-----END PUBLIC KEY-----
`
}

// spec replaces the names of keys in a text by the keys.
func (k keys) spec(t *testing.T, text string) v1alpha1.ImagePolicySpec {
	t.Helper()
	for name, key := range k {
		quoted, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "data: "+name, "data: "+string(quoted))
	}
	var spec v1alpha1.ImagePolicySpec
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(text, "\t", " ")), &spec); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if spec.Images == nil {
		spec.Images = []string{"r.local/**"}
	}
	return spec
}

func requireProblems(t *testing.T, spec v1alpha1.ImagePolicySpec, want []string) {
	t.Helper()
	found := configuration.ImagePolicy(&v1alpha1.ImagePolicy{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: spec})
	if len(found) != len(want) {
		t.Fatalf("problems %+v, want %q", found, want)
	}
	for i, p := range found {
		if got := p.Field + ": " + p.Message; !strings.HasPrefix(got, want[i]) {
			t.Errorf("problem %q, want %q", got, want[i])
		}
	}
}

func TestAuthoritiesThatCannotSignAreRefused(t *testing.T) {
	made := newKeys(t)
	root := "'" + trustRoot(t, nil) + "'"
	const identity = `keyless: {identities: [{issuer: "https://i", subject: s@example.com}]}`
	tests := map[string]struct {
		spec string
		want []string
	}{
		"all kinds of keys":     {`authorities: [{name: a, key: {data: ECDSA}}, {name: b, key: {data: RSA2048}}, {name: c, key: {data: EDWARDS}}, {name: d, key: {data: ANOTHER}}, {name: e, key: {secretRef: {name: s}}}, {name: f, key: {kms: "awskms:///alias/a"}}, {name: g, key: {data: INDENTED}}]`, nil},
		"a weak key":            {`authorities: [{name: a, key: {data: RSA1024}}]`, []string{"spec.authorities[0].key.data: is an RSA key of 1024 bits and must have at least 2048"}},
		"a private key":         {`authorities: [{name: a, key: {data: PRIVATE}}]`, []string{"spec.authorities[0].key.data: is a private key"}},
		"two keys in one":       {`authorities: [{name: a, key: {data: TWICE}}]`, []string{"spec.authorities[0].key.data: holds more than one PEM block"}},
		"no key":                {`authorities: [{name: a, key: {}}]`, []string{"spec.authorities[0].key: must have exactly one of data, secretRef and kms"}},
		"a Secret without name": {`authorities: [{name: a, key: {secretRef: {name: ""}}}]`, []string{"spec.authorities[0].key.secretRef.name: must name"}},
		"another service":       {`authorities: [{name: a, key: {kms: "vault://a"}}, {name: b, key: {kms: "awskms://"}}]`, []string{`spec.authorities[0].key.kms: "vault://a" does not begin with one of awskms://`, `spec.authorities[1].key.kms: `}},
		"neither nor, and both": {`authorities: [{name: a}, {name: b, key: {data: ECDSA}, ` + identity + `}]`, []string{"spec.authorities[0]: must have exactly one of key and keyless", "spec.authorities[1]: must have exactly one of key and keyless"}},
		"one name twice":        {`authorities: [{name: a, key: {data: ECDSA}}, {name: a, key: {data: ANOTHER}}]`, []string{`spec.authorities[1].name: there are two authorities "a"`}},
		"one key twice, all must sign": {
			`{require: All, authorities: [{name: a, key: {data: ECDSA}}, {name: b, key: {data: INDENTED}}]}`, []string{`spec.authorities[1]: "b" is the same signer as "a", and one signer counts once`},
		},
		"one Secret twice, one URI twice, one identity twice": {
			`{require: AtLeast, atLeast: 2, authorities: [{name: a, key: {secretRef: {name: s}}}, {name: b, key: {secretRef: {name: s, key: cosign.pub}}}, {name: c, key: {kms: "awskms://x"}}, {name: d, key: {kms: "awskms://x"}}, {name: e, ` + identity + `}, {name: f, ` + identity + `}, {name: g, key: {secretRef: {name: s, key: other}}}]}`,
			[]string{`spec.authorities[1]: "b" is the same signer as "a"`, `spec.authorities[3]: "d" is the same signer as "c"`, `spec.authorities[5]: "f" is the same signer as "e"`},
		},
		"one key twice, any suffices":      {`authorities: [{name: a, key: {data: ECDSA}}, {name: b, key: {data: ECDSA}}]`, nil},
		"a log without a trust root":       {`authorities: [{name: a, key: {data: ECDSA}, transparencyLog: Required}]`, []string{"spec.authorities[0]: a key with transparencyLog or timestamps Required needs a trustRoot"}},
		"no witness of the time":           {`authorities: [{name: a, ` + identity + `, transparencyLog: Ignored}]`, []string{"spec.authorities[0]: a keyless signature needs a trusted time"}},
		"time stamps alone":                {`authorities: [{name: a, ` + identity + `, transparencyLog: Ignored, timestamps: Required, trustRoot: {data: ` + root + `}}]`, nil},
		"two trust roots":                  {`authorities: [{name: a, ` + identity + `, trustRoot: {data: x, file: /x}}]`, []string{"spec.authorities[0].trustRoot: must have exactly one of data and file"}},
		"a trust root somewhere":           {`authorities: [{name: a, ` + identity + `, trustRoot: {file: x.json}}]`, []string{`spec.authorities[0].trustRoot.file: "x.json" is no absolute path`}},
		"a trust root that is no JSON":     {`authorities: [{name: a, ` + identity + `, trustRoot: {data: x}}]`, []string{"spec.authorities[0].trustRoot.data: is no trusted_root.json: "}},
		"a trust root of another kind":     {`authorities: [{name: a, ` + identity + `, trustRoot: {data: '{"mediaType":"x"}'}}]`, []string{`spec.authorities[0].trustRoot.data: is no trusted_root.json: its mediaType is "x"`}},
		"a trust root without a log":       {`authorities: [{name: a, ` + identity + `, trustRoot: {data: ` + strings.Replace(root, `"tlogs"`, `"logs"`, 1) + `}}]`, []string{"spec.authorities[0].trustRoot.data: has no tlogs"}},
		"a trust root without authorities": {`authorities: [{name: a, ` + identity + `, trustRoot: {data: ` + strings.Replace(root, "certificateA", "a", 1) + `}}]`, []string{"spec.authorities[0].trustRoot.data: has no certificateAuthorities"}},
		"a trust root without time stamps": {`authorities: [{name: a, ` + identity + `, timestamps: Required, trustRoot: {data: ` + strings.Replace(root, "timestampA", "a", 1) + `}}]`, []string{"spec.authorities[0].trustRoot.data: has no timestampAuthorities"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { requireProblems(t, made.spec(t, tt.spec), tt.want) })
	}
}

func TestIdentitiesThatMatchPartsAreRefused(t *testing.T) {
	const at = "spec.authorities[0].keyless.identities[0]"
	escapes := func(pattern string) []string {
		quoted, _ := json.Marshal(pattern)
		return []string{at + ".subjectRegExp: " + string(quoted) + " is not anchored as a whole"}
	}
	tests := map[string]struct {
		identity string
		want     []string
	}{
		"exact":                       {`{issuer: "https://i", subject: a@example.com}`, nil},
		"anchored":                    {`{issuer: "https://i", subjectRegExp: '^https://github\.com/o/r/.*$'}`, nil},
		"alternatives in parentheses": {`{issuer: "https://i", subjectRegExp: '^(a|b)@example\.com$'}`, nil},
		"alternatives, each anchored": {`{issuer: "https://i", subjectRegExp: '^a$|^b$'}`, nil},
		"unanchored":                  {`{issuer: "https://i", subjectRegExp: 'example\.com'}`, []string{at + `.subjectRegExp: "example\\.com" must begin with ^ and end with $`}},
		"unanchored at its end":       {`{issuerRegExp: '^https://i', subject: s}`, []string{at + `.issuerRegExp: "^https://i" must begin with ^ and end with $`}},
		"an alternative escapes":      {`{issuer: "https://i", subjectRegExp: '^a|b$'}`, escapes("^a|b$")},
		"one of three escapes":        {`{issuer: "https://i", subjectRegExp: '^a$|b|^c$'}`, escapes("^a$|b|^c$")},
		"a common beginning":          {`{issuer: "https://i", subjectRegExp: '^ab|^ac$'}`, escapes("^ab|^ac$")},
		"an escaped dollar":           {`{issuer: "https://i", subjectRegExp: '^a\$'}`, escapes(`^a\$`)},
		"lines":                       {`{issuer: "https://i", subjectRegExp: '^(?m)a$'}`, escapes("^(?m)a$")},
		"an anchor that may be left":  {`{issuer: "https://i", subjectRegExp: '^?a$'}`, escapes("^?a$")},
		"no regular expression":       {`{issuer: "https://i", subjectRegExp: '^($'}`, []string{at + ".subjectRegExp: is no regular expression (RE2)"}},
		"neither nor":                 {`{}`, []string{at + ": must have exactly one of issuer and issuerRegExp", at + ": must have exactly one of subject and subjectRegExp"}},
		"both":                        {`{issuer: a, issuerRegExp: ^a$, subject: s, subjectRegExp: ^s$}`, []string{at + ": must have exactly one of issuer and issuerRegExp", at + ": must have exactly one of subject and subjectRegExp"}},
		"extensions": {
			`{issuer: "https://i", subject: s, extensions: [{name: SourceRepositoryRef, regExp: 'refs/heads/main'}, {name: SourceRepositoryURI}, {name: SourceRepositoryRef, value: x}]}`,
			[]string{at + `.extensions[0].regExp: "refs/heads/main" must begin`, at + ".extensions[1]: must have exactly one of value and regExp", at + `.extensions[2].name: there are two extensions "SourceRepositoryRef"`},
		},
		"everybody in the world": {`{issuer: "https://i", subjectRegExp: '^.*$'}`, []string{at + `.subjectRegExp: "^.*$" also matches what is a stranger's`}},
		"everybody from one ref": {`{issuer: "https://i", subjectRegExp: '^.*$', extensions: [{name: SourceRepositoryURI, value: x}]}`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requireProblems(t, keys{}.spec(t, "authorities: [{name: a, keyless: {identities: ["+tt.identity+"]}}]"), tt.want)
		})
	}
	t.Run("nobody", func(t *testing.T) {
		requireProblems(t, keys{}.spec(t, "authorities: [{name: a, keyless: {identities: []}}]"), []string{"spec.authorities[0].keyless.identities: names nobody"})
	})
}

func TestEverythingElseThatIsWrongIsToldInTheOrderOfTheFields(t *testing.T) {
	requireProblems(t, newKeys(t).spec(t, `
images: ['**', r.local/Web]
require: AtLeast
authorities: [{name: a, key: {data: ECDSA}}, {name: b, key: {data: x}}]
attestations:
- {name: x, predicateType: vuln, maxAge: 0s, conditions: [{name: c, expression: "true"}, {name: c, expression: "1"}]}
- {name: x, predicateType: sarif, authorities: [c]}
cache: {validFor: 0s, staleFor: 721h}`), []string{
		"spec.images[1]: ", "spec.atLeast: must be set where require is AtLeast", "spec.authorities[1].key.data: is no PEM block",
		"spec.attestations[0].conditions[1].expression: line 1, column 1: the expression is of type int", "spec.attestations[0].maxAge: must be above 0s", `spec.attestations[0].conditions[1].name: there are two conditions "c"`,
		`spec.attestations[1].predicateType: "sarif" is neither`, `spec.attestations[1].authorities[0]: the policy has no authority "c"`, `spec.attestations[1].name: there are two attestations "x"`,
		"spec.cache.validFor: must be above 0s", "spec.cache.staleFor: must be at least 0s",
	})
}
