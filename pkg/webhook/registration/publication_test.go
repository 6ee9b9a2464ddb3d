package registration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"

	certutil "k8s.io/client-go/util/cert"
)

func authority(t *testing.T, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestAuthorityIsPublishedOnceAllEntriesHoldIt(t *testing.T) {
	one, two := authority(t, 1), authority(t, 2)
	pem := func(certificates ...*x509.Certificate) string {
		encoded, err := certutil.EncodeCertificates(certificates...)
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	w := newWorld(t, environment("a", "shop-a"), environment("b", "shop-b"))
	publication := Publication{Reader: w.client}
	check := func(when string, ca *x509.Certificate, want bool) {
		t.Helper()
		got, err := publication.Published(t.Context(), ca)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: published=%v, want %v", when, got, want)
		}
	}
	check("no configuration distrusts anybody", two, true)
	w.certificates.pem = pem(one)
	w.settled(t)
	check("the first is in use", one, true)
	check("the second is unknown", two, false)
	w.certificates.pem = pem(one, two)
	w.settled(t)
	check("both are trusted", two, true)
	configuration := w.mutating(t)
	configuration.Webhooks[1].ClientConfig.CABundle = []byte(pem(one))
	if err := w.client.Update(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	check("one entry lacks it", two, false)
}
