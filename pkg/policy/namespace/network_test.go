package namespace

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestNetworkPolicies(t *testing.T) {
	const (
		noIngress = "no NetworkPolicy denies ingress of all pods by default  [networkPolicy]"
		noEgress  = "no NetworkPolicy denies egress of all pods by default  [networkPolicy]"
	)
	tests := map[string]struct {
		asked string
		specs []string
		want  []string
	}{
		"a denial by anybody counts":               {asked: `[Ingress]`, specs: []string{`{podSelector: {}, policyTypes: [Ingress]}`}},
		"without policy types it is about ingress": {asked: `[Ingress, Egress]`, specs: []string{`{podSelector: {}}`}, want: []string{noEgress}},
		"without policy types but with egress rules it is about both": {asked: `[Ingress, Egress]`, specs: []string{
			`{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}`}},
		"one for some pods does not count": {asked: `[Ingress]`, specs: []string{`{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}`}, want: []string{noIngress}},
		"one for egress denies no ingress": {asked: `[Ingress]`, specs: []string{`{podSelector: {}, policyTypes: [Egress]}`}, want: []string{noIngress}},
		"rules for some peers deny the rest": {asked: `[Ingress]`, specs: []string{
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]}`}},
		"a rule for some ports denies the rest": {asked: `[Ingress]`, specs: []string{
			`{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}`}},
		"an empty rule allows everything": {asked: `[Ingress]`, specs: []string{`{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}`},
			want: []string{`NetworkPolicy "p0" allows all ingress of all pods, it must be denied by default  [networkPolicy]`}},
		"allowing everything takes another's denial away": {asked: `[Egress]`, specs: []string{
			`{podSelector: {}, policyTypes: [Egress]}`, `{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}`},
			want: []string{`NetworkPolicy "p1" allows all egress of all pods, it must be denied by default  [networkPolicy]`}},
		"a block with exceptions does not": {asked: `[Egress]`, specs: []string{
			`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]}`}},
		"allowing everything to some pods does not": {asked: `[Egress]`, specs: []string{
			`{podSelector: {}, policyTypes: [Egress]}`, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{}]}`}},
		"an allow-all that its policy types switch off": {asked: `[Egress]`, specs: []string{
			`{podSelector: {}, policyTypes: [Egress]}`, `{podSelector: {}, policyTypes: [Ingress], egress: [{}]}`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment := read[v1alpha1.Environment](t, `spec: {namespaceSettings: {networkPolicy: {defaultDeny: `+test.asked+`}}}`)
			compare(t, test.want, told(Judge(environment, State{NetworkPolicies: networks(t, test.specs)})))
		})
	}
}

func networks(t *testing.T, specs []string) []networkingv1.NetworkPolicy {
	t.Helper()
	var policies []networkingv1.NetworkPolicy
	for i, document := range specs {
		p := networkingv1.NetworkPolicy{Spec: *read[networkingv1.NetworkPolicySpec](t, document)}
		p.Name = "p" + string(rune('0'+i))
		policies = append(policies, p)
	}
	return policies
}

func TestDNS(t *testing.T) {
	tests := map[string]struct {
		rule    string
		allowed bool
	}{
		"by the name of the namespace": {`{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: [{protocol: UDP, port: 53}]}`, true},
		"to all namespaces":            {`{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: 53}]}`, true},
		"to anybody on that port":      {`{ports: [{protocol: UDP, port: 53}]}`, true},
		"to a block of addresses":      {`{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{protocol: UDP, port: 53}]}`, true},
		"within a range of ports":      {`{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: 50, endPort: 60}]}`, true},
		"on a range without it":        {`{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: 54, endPort: 60}]}`, false},
		"on the named port":            {`{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: dns}]}`, true},
		"over TCP only":                {`{to: [{namespaceSelector: {}}], ports: [{port: 53}]}`, false},
		"in the own namespace only":    {`{to: [{podSelector: {}}], ports: [{protocol: UDP, port: 53}]}`, false},
		"to other pods over there":     {`{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: proxy}}}]}`, false},
		"on another port":              {`{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: 5353}]}`, false},
	}
	environment := read[v1alpha1.Environment](t, `spec: {namespaceSettings: {networkPolicy: {defaultDeny: [Egress], allowDNS: true}}}`)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			policies := networks(t, []string{`{podSelector: {}, policyTypes: [Egress]}`, `{podSelector: {}, policyTypes: [Egress], egress: [` + test.rule + `]}`})
			verdict := Judge(environment, State{NetworkPolicies: policies})
			if got := len(verdict.Violations) == 0; got != test.allowed {
				t.Errorf("allowed %v, want %v: %v", got, test.allowed, verdict.Violations)
			}
		})
	}
}
