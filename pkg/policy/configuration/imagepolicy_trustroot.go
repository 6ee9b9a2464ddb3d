package configuration

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// trustRootMediaType is how the media type of a trusted_root.json begins, whatever its version.
const trustRootMediaType = "application/vnd.dev.sigstore.trustedroot"

// trustNeeds are the parts of a trust root without which no signature could be verified.
type trustNeeds struct{ certificates, log, timestamps bool }

// trustedRoot is what of a trusted_root.json must be there for anything to be verified by it.
//
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
type trustedRoot struct {
	MediaType              string             `json:"mediaType"`
	TLogs                  []trustedLog       `json:"tlogs"`
	CTLogs                 []trustedLog       `json:"ctlogs"`
	CertificateAuthorities []trustedAuthority `json:"certificateAuthorities"`
	TimestampAuthorities   []trustedAuthority `json:"timestampAuthorities"`
}

type trustedLog struct {
	PublicKey struct {
		RawBytes string `json:"rawBytes"`
		ValidFor struct {
			Start string `json:"start"`
		} `json:"validFor"`
	} `json:"publicKey"`
	LogID struct {
		KeyID string `json:"keyId"`
	} `json:"logId"`
}

type trustedAuthority struct {
	CertChain struct {
		Certificates []struct {
			RawBytes string `json:"rawBytes"`
		} `json:"certificates"`
	} `json:"certChain"`
}

// trustRoot must be a trusted_root.json of which every part can be read: who verifies takes all of it or nothing.
func (p *problems) trustRoot(field, text string, needs trustNeeds) {
	var root trustedRoot
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		p.add(field, "is no trusted_root.json: %s", err)
		return
	}
	switch {
	case !strings.HasPrefix(root.MediaType, trustRootMediaType):
		p.add(field, "is no trusted_root.json: its mediaType is %q and must begin with %s", root.MediaType, trustRootMediaType)
		return
	case needs.certificates && len(root.CertificateAuthorities) == 0:
		p.add(field, "has no certificateAuthorities, which keyless needs")
	case needs.log && len(root.TLogs) == 0:
		p.add(field, "has no tlogs, which transparencyLog: Required needs")
	case needs.timestamps && len(root.TimestampAuthorities) == 0:
		p.add(field, "has no timestampAuthorities, which timestamps: Required needs")
	}
	report := func(list string, i int, err error) {
		if err != nil {
			p.add(field, "%s[%d] %s: paste what `cosign trusted-root create` writes", list, i, err)
		}
	}
	for i := range root.TLogs {
		report("tlogs", i, root.TLogs[i].check())
	}
	for i := range root.CertificateAuthorities {
		report("certificateAuthorities", i, root.CertificateAuthorities[i].check())
	}
	for i := range root.CTLogs {
		report("ctlogs", i, root.CTLogs[i].check())
	}
	for i := range root.TimestampAuthorities {
		report("timestampAuthorities", i, root.TimestampAuthorities[i].check())
	}
}

func (l *trustedLog) check() error {
	der, err := decode(l.PublicKey.RawBytes)
	switch {
	case err != nil:
		return fmt.Errorf("has no key in publicKey.rawBytes (%w)", err)
	case l.LogID.KeyID == "":
		return errors.New("has no logId.keyId")
	case l.PublicKey.ValidFor.Start == "":
		return errors.New("has no publicKey.validFor.start")
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		return nil
	}
	if _, err := x509.ParsePKCS1PublicKey(der); err != nil {
		return errors.New("has what is no public key in publicKey.rawBytes")
	}
	return nil
}

func (a *trustedAuthority) check() error {
	if len(a.CertChain.Certificates) == 0 {
		return errors.New("has no certificates in certChain")
	}
	for n, certificate := range a.CertChain.Certificates {
		der, err := decode(certificate.RawBytes)
		if err == nil {
			_, err = x509.ParseCertificate(der)
		}
		if err != nil {
			return fmt.Errorf("has no certificate in certChain.certificates[%d].rawBytes (%w)", n, err)
		}
	}
	return nil
}

// decode reads bytes in each of the forms that protobuf's JSON has for them.
func decode(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("it is empty")
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.DecodeString(text)
}
