package registration

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readConfigurations reads both configurations live. One that does not exist is empty.
func readConfigurations(ctx context.Context, reader client.Reader) (*admissionregistrationv1.MutatingWebhookConfiguration, *admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := client.IgnoreNotFound(reader.Get(ctx, client.ObjectKey{Name: Name}, mutating)); err != nil {
		return nil, nil, fmt.Errorf("reading MutatingWebhookConfiguration %q: %w", Name, err)
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := client.IgnoreNotFound(reader.Get(ctx, client.ObjectKey{Name: Name}, validating)); err != nil {
		return nil, nil, fmt.Errorf("reading ValidatingWebhookConfiguration %q: %w", Name, err)
	}
	return mutating, validating, nil
}

// Publication reads both configurations live and tells whether all their entries trust an authority.
type Publication struct {
	Reader client.Reader
}

// Published implements certs.Publication. Configurations that do not exist distrust nobody.
func (p Publication) Published(ctx context.Context, ca *x509.Certificate) (bool, error) {
	mutating, validating, err := readConfigurations(ctx, p.Reader)
	if err != nil {
		return false, err
	}
	var bundles [][]byte
	for i := range mutating.Webhooks {
		bundles = append(bundles, mutating.Webhooks[i].ClientConfig.CABundle)
	}
	for i := range validating.Webhooks {
		bundles = append(bundles, validating.Webhooks[i].ClientConfig.CABundle)
	}
	for _, bundle := range bundles {
		if !trusts(bundle, ca) {
			return false, nil
		}
	}
	return true, nil
}

func trusts(bundle []byte, ca *x509.Certificate) bool {
	certificates, err := certutil.ParseCertsPEM(bundle)
	if err != nil {
		return false
	}
	for _, certificate := range certificates {
		if bytes.Equal(certificate.Raw, ca.Raw) {
			return true
		}
	}
	return false
}
