package namespace

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestQuotas(t *testing.T) {
	const none = "no ResourceQuota bounds requests.cpu of the whole namespace, it must be at most 10  [resourceQuota]"
	environment := read[v1alpha1.Environment](t, `spec: {namespaceSettings: {resourceQuota: {hard: {requests.cpu: "10"}}}}`)
	tests := map[string]struct {
		specs []string
		want  []string
	}{
		"an equal quota of another name counts":       {specs: []string{`{hard: {requests.cpu: 10000m}}`}},
		"a smaller one counts":                        {specs: []string{`{hard: {requests.cpu: "4"}}`}},
		"zero is a bound":                             {specs: []string{`{hard: {requests.cpu: "0"}}`}},
		"cpu is requests.cpu":                         {specs: []string{`{hard: {cpu: "10"}}`}},
		"limits are another resource":                 {specs: []string{`{hard: {limits.cpu: "10"}}`}, want: []string{none}},
		"the smallest of several decides":             {specs: []string{`{hard: {requests.cpu: "20"}}`, `{hard: {requests.cpu: "5"}}`}},
		"one with scopes bounds some pods only":       {specs: []string{`{hard: {requests.cpu: "1"}, scopes: [BestEffort]}`}, want: []string{none}},
		"so does one with a scope selector":           {specs: []string{`{hard: {requests.cpu: "1"}, scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: Exists}]}}`}, want: []string{none}},
		"a larger one is named with what it may have": {specs: []string{`{hard: {requests.cpu: "20"}}`}, want: []string{`ResourceQuota "q0" bounds requests.cpu by 20, it must be at most 10  [resourceQuota]`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state := State{}
			for i, document := range test.specs {
				quota := corev1.ResourceQuota{Spec: *read[corev1.ResourceQuotaSpec](t, document)}
				quota.Name = "q" + string(rune('0'+i))
				state.ResourceQuotas = append(state.ResourceQuotas, quota)
			}
			compare(t, test.want, told(Judge(environment, state)))
		})
	}
}

func TestSpellingsOfCounts(t *testing.T) {
	tests := map[string]struct {
		wanted, live string
		bounded      bool
	}{
		"count/pods counts more pods than pods":   {"pods", "count/pods", true},
		"pods counts fewer than count/pods":       {"count/pods", "pods", false},
		"services and count/services are one":     {"count/services", "services", true},
		"custom resources have one spelling only": {"count/widgets.example.com", "widgets.example.com", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment := read[v1alpha1.Environment](t, `spec: {namespaceSettings: {resourceQuota: {hard: {`+test.wanted+`: "5"}}}}`)
			quota := corev1.ResourceQuota{Spec: *read[corev1.ResourceQuotaSpec](t, `{hard: {`+test.live+`: "5"}}`)}
			verdict := Judge(environment, State{ResourceQuotas: []corev1.ResourceQuota{quota}})
			if got := len(verdict.Violations) == 0; got != test.bounded {
				t.Errorf("bounded %v, want %v: %v", got, test.bounded, verdict.Violations)
			}
		})
	}
}

func TestLimitRanges(t *testing.T) {
	environment := read[v1alpha1.Environment](t, `
spec: {namespaceSettings: {limitRange: {default: {memory: 512Mi}, defaultRequest: {memory: 256Mi}, max: {memory: 8Gi}, min: {memory: 16Mi}}}}`)
	const good = `{type: Container, default: {memory: 512Mi}, defaultRequest: {memory: 256Mi}, max: {memory: 8Gi}, min: {memory: 16Mi}}`
	tests := map[string]struct {
		items []string
		want  []string
	}{
		"equal bounds": {items: []string{good}},
		"tighter bounds": {items: []string{
			`{type: Container, default: {memory: 300Mi}, defaultRequest: {memory: 300Mi}, max: {memory: 1Gi}, min: {memory: 64Mi}}`}},
		"bounds over two ranges": {items: []string{
			`{type: Container, default: {memory: 512Mi}, defaultRequest: {memory: 256Mi}}`,
			`{type: Container, max: {memory: 8Gi}, min: {memory: 16Mi}}`}},
		"a larger maximum beside a good one does no harm": {items: []string{good, `{type: Container, max: {memory: 64Gi}}`}},
		"a larger maximum alone": {
			items: []string{`{type: Container, default: {memory: 512Mi}, defaultRequest: {memory: 256Mi}, max: {memory: 16Gi}, min: {memory: 16Mi}}`},
			want:  []string{`LimitRange "l0" has max.memory 16Gi for containers, it must be at most 8Gi  [limitRange]`},
		},
		"of two defaults either may be taken": {
			items: []string{good, `{type: Container, default: {memory: 4Gi}}`},
			want:  []string{`LimitRange "l1" has default.memory 4Gi for containers, it must be at most 512Mi  [limitRange]`},
		},
		"a smaller default request reserves too little": {
			items: []string{`{type: Container, default: {memory: 512Mi}, defaultRequest: {memory: 1Mi}, max: {memory: 8Gi}, min: {memory: 16Mi}}`},
			want:  []string{`LimitRange "l0" has defaultRequest.memory 1Mi for containers, it must be at least 256Mi  [limitRange]`},
		},
		"bounds of pods are no bounds of containers": {
			items: []string{good[:len(good)-1] + `}`, `{type: Pod, max: {memory: 64Gi}, min: {memory: 1Mi}}`},
		},
		"a maximum of pods only": {
			items: []string{`{type: Container, default: {memory: 512Mi}, defaultRequest: {memory: 256Mi}, min: {memory: 16Mi}}`, `{type: Pod, max: {memory: 8Gi}}`},
			want:  []string{`no LimitRange has max.memory for containers, it must be at most 8Gi  [limitRange]`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state := State{}
			for i, document := range test.items {
				limits := corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{*read[corev1.LimitRangeItem](t, document)}}}
				limits.Name = "l" + string(rune('0'+i))
				state.LimitRanges = append(state.LimitRanges, limits)
			}
			compare(t, test.want, told(Judge(environment, state)))
		})
	}
}
