package configuration_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/configuration"
)

func TestEnvironment(t *testing.T) {
	tests := map[string]struct {
		spec string
		want []string // fields, and what each message holds
	}{
		"nothing wrong": {spec: `{namespaces: [shop], namespaceSelector: {matchLabels: {tier: prod}}, promotesFrom: staging,
			rules: {resources: {min: {cpu: 100m}, max: {cpu: "2"}, maxLimitRequestRatio: {memory: "1"}}},
			namespaceSettings: {resourceQuota: {hard: {requests.cpu: "4", pods: "10", count/secrets: "3", requests.nvidia.com/gpu: "1"}}}}`},
		"an operator that does not exist": {
			spec: `{namespaceSelector: {matchExpressions: [{key: tier, operator: Inn, values: [prod]}]}}`,
			want: []string{`spec.namespaceSelector: "Inn" is not a valid label selector operator`},
		},
		"In without values": {
			spec: `{namespaceSelector: {matchExpressions: [{key: tier, operator: In}]}}`,
			want: []string{"spec.namespaceSelector: values: Invalid value: null: for 'in'"},
		},
		"promotes from itself": {spec: `{promotesFrom: production}`, want: []string{"spec.promotesFrom: an environment cannot promote from itself"}},
		"times that end before they begin": {
			spec: `{rules: {approval: {validFor: 0s}, exemptions: {maxValidity: 0s}}}`,
			want: []string{"spec.rules.approval.validFor: must be longer than 0s", "spec.rules.exemptions.maxValidity: must be longer than 0s"},
		},
		"no container can keep both bounds": {
			spec: `{rules: {resources: {min: {cpu: "4"}, max: {cpu: "2"}, pod: {min: {memory: 2Gi}, max: {memory: 1Gi}}}}}`,
			want: []string{"spec.rules.resources.min[cpu]: 4 is above max, which is 2", "spec.rules.resources.pod.min[memory]: 2Gi is above pod.max, which is 1Gi"},
		},
		"a negative bound": {spec: `{rules: {resources: {max: {cpu: "-1"}}}}`, want: []string{"spec.rules.resources.max[cpu]: -1 lets nothing in"}},
		"a ratio below 1":  {spec: `{rules: {resources: {maxLimitRequestRatio: {cpu: 500m}}}}`, want: []string{"spec.rules.resources.maxLimitRequestRatio[cpu]: 500m is below 1"}},
		"a label that no object can have": {
			spec: `{rules: {metadata: {labels: [{key: "a b"}]}}}`, want: []string{`spec.rules.metadata.labels[0].key: "a b" is no key`},
		},
		"workload kinds": {
			spec: `{workloadKinds: [{group: apps, kind: Deployment}, {group: a.b, kind: K, controllers: [x]}, {group: a.b, kind: K}, {group: rune.runeframeos.com, kind: Release}]}`,
			want: []string{"spec.workloadKinds[0]: Deployment.apps is judged anyhow", `spec.workloadKinds[1].controllers[0]: "x" is no service account`,
				"spec.workloadKinds[2]: K.a.b is declared twice", "spec.workloadKinds[3]: kinds of rune.runeframeos.com are no workloads"},
		},
		"a quota of what does not exist": {
			spec: `{namespaceSettings: {resourceQuota: {hard: {requests.cpuu: "4"}}}}`,
			want: []string{`spec.namespaceSettings.resourceQuota.hard[requests.cpuu]: a ResourceQuota knows no resource "requests.cpuu"`},
		},
		"a limit range that contradicts itself": {
			spec: `{namespaceSettings: {limitRange: {default: {memory: 2Gi}, max: {memory: 1Gi}}}}`,
			want: []string{"spec.namespaceSettings.limitRange.default[memory]: 2Gi is above max, which is 1Gi"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}}
			if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(tt.spec, "\t", " ")), &environment.Spec); err != nil {
				t.Fatal(err)
			}
			found := configuration.Environment(environment)
			if len(found) != len(tt.want) {
				t.Fatalf("problems %v, want %q", found, tt.want)
			}
			for i, p := range found {
				if got := p.Field + ": " + p.Message; !strings.HasPrefix(got, tt.want[i]) {
					t.Errorf("problem %q, want %q", got, tt.want[i])
				}
			}
		})
	}
}

func TestImagePolicy(t *testing.T) {
	found := configuration.ImagePolicy(&v1alpha1.ImagePolicy{Spec: v1alpha1.ImagePolicySpec{
		Images: []string{"r.local/*", "r.local/Web"},
		Authorities: []v1alpha1.Authority{
			{Name: "none", Key: &v1alpha1.KeyAuthority{Data: "x"}},
			{Name: "broken", Key: &v1alpha1.KeyAuthority{Data: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}},
		},
	}})
	var fields []string
	for _, p := range found {
		fields = append(fields, p.Field)
	}
	want := []string{"spec.images[1]", "spec.authorities[0].key.data", "spec.authorities[1].key.data"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestNothingIsWrongWithWhatIsSensible(t *testing.T) {
	environment := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Rules: v1alpha1.Rules{
		Exemptions: &v1alpha1.ExemptionRules{MaxValidity: &metav1.Duration{Duration: time.Hour}},
	}}}
	if found := configuration.Environment(environment); len(found) > 0 {
		t.Errorf("problems %v of an Environment that is right", found)
	}
}
