package certs

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"time"
)

// Names that a serving certificate must cover.
type Names struct {
	DNS []string
	IPs []net.IP
}

// missingFrom tells whether the certificate lacks any of the names.
func (n Names) missingFrom(certificate *x509.Certificate) bool {
	for _, name := range n.DNS {
		if !slices.Contains(certificate.DNSNames, name) {
			return true
		}
	}
	for _, ip := range n.IPs {
		if !slices.ContainsFunc(certificate.IPAddresses, ip.Equal) {
			return true
		}
	}
	return false
}

// with adds the names of a certificate, so that two webhooks which share a Secret under different names
// do not take each other's away for ever.
func (n Names) with(certificate *x509.Certificate) Names {
	all := Names{DNS: slices.Clone(n.DNS), IPs: slices.Clone(n.IPs)}
	for _, name := range certificate.DNSNames {
		if !slices.Contains(all.DNS, name) {
			all.DNS = append(all.DNS, name)
		}
	}
	for _, ip := range certificate.IPAddresses {
		if !slices.ContainsFunc(all.IPs, ip.Equal) {
			all.IPs = append(all.IPs, ip)
		}
	}
	return all
}

// Policy says what certificates are for and how long they live.
type Policy struct {
	Names Names
	// CAValidity is the life of an authority. Its successor is prepared when a third is left.
	CAValidity time.Duration
	// ServingValidity is the life of a serving certificate. It is replaced when a third is left.
	ServingValidity time.Duration
	// Overlap is how long a prepared authority must have been trusted before it signs.
	Overlap time.Duration
}

// DefaultPolicy returns the lifetimes that the webhook uses: a year, 90 days and a day.
func DefaultPolicy(names Names) Policy {
	const day = 24 * time.Hour
	return Policy{Names: names, CAValidity: 365 * day, ServingValidity: 90 * day, Overlap: day}
}

// Due returns the material that should be stored at the given time and, in words, what has changed. It
// returns current itself and no words when nothing is due. published tells whether API servers have been
// told to trust an authority; without that a prepared authority does not take over.
func (p Policy) Due(current *Material, now time.Time, published func(ca *x509.Certificate) bool) (*Material, []string, error) {
	if current == nil {
		return p.fresh(now)
	}
	next, changes := *current, []string(nil)
	next.Retired = slices.DeleteFunc(slices.Clone(current.Retired), func(ca *x509.Certificate) bool {
		return now.After(ca.NotAfter)
	})
	if dropped := len(current.Retired) - len(next.Retired); dropped > 0 {
		changes = append(changes, fmt.Sprintf("dropped %d expired authorities", dropped))
	}
	authority, err := p.dueAuthority(&next, now, published)
	if err != nil {
		return nil, nil, err
	}
	changes = append(changes, authority...)
	serving, err := p.dueServing(&next, now)
	if err != nil {
		return nil, nil, err
	}
	changes = append(changes, serving...)
	if len(changes) == 0 {
		return current, nil, nil
	}
	return &next, changes, nil
}

func (p Policy) fresh(now time.Time) (*Material, []string, error) {
	ca, err := newAuthority(now, p.CAValidity)
	if err != nil {
		return nil, nil, err
	}
	serving, err := newServing(ca, p.Names, now, p.ServingValidity)
	if err != nil {
		return nil, nil, err
	}
	return &Material{CA: *ca, Serving: *serving}, []string{"made an authority", "made a serving certificate"}, nil
}

// dueAuthority prepares the next authority, lets it take over, or replaces an expired one at once.
func (p Policy) dueAuthority(m *Material, now time.Time, published func(*x509.Certificate) bool) ([]string, error) {
	var changes []string
	expired := now.After(m.CA.Cert.NotAfter)
	if m.Next != nil && now.After(m.Next.Cert.NotAfter) {
		m.Next = nil
		changes = append(changes, "dropped an expired prepared authority")
	}
	if m.Next == nil && (expired || due(m.CA.Cert, p.CAValidity, now)) {
		ca, err := newAuthority(now, p.CAValidity)
		if err != nil {
			return nil, err
		}
		m.Next = ca
		changes = append(changes, "prepared the next authority")
	}
	if m.Next == nil {
		return changes, nil
	}
	trustedFor := now.Sub(m.Next.Cert.NotBefore.Add(backdate))
	// An expired authority is trusted by nobody: waiting would help nobody either.
	if expired || (trustedFor >= p.Overlap && published(m.Next.Cert)) {
		if !expired {
			m.Retired = append(m.Retired, m.CA.Cert)
		}
		m.CA, m.Next = *m.Next, nil
		changes = append(changes, "put the next authority to use")
	}
	return changes, nil
}

func (p Policy) dueServing(m *Material, now time.Time) ([]string, error) {
	var why string
	switch {
	case m.Serving.Cert.CheckSignatureFrom(m.CA.Cert) != nil:
		why = "by the authority in use"
	case due(m.Serving.Cert, p.ServingValidity, now):
		why = "that lives longer"
	case p.Names.missingFrom(m.Serving.Cert):
		why = "for more names"
	default:
		return nil, nil
	}
	serving, err := newServing(&m.CA, p.Names.with(m.Serving.Cert), now, p.ServingValidity)
	if err != nil {
		return nil, err
	}
	m.Serving = *serving
	return []string{"made a serving certificate " + why}, nil
}

// due tells whether less than a third of a certificate's life is left. The life is the certificate's own
// where that is shorter than validity, as at the end of an authority's life.
func due(certificate *x509.Certificate, validity time.Duration, now time.Time) bool {
	life := certificate.NotAfter.Sub(certificate.NotBefore.Add(backdate))
	if life > validity {
		life = validity
	}
	return certificate.NotAfter.Sub(now) < life/3
}
