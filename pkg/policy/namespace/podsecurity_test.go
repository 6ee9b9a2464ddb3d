package namespace

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// labelled adds the prefix of Pod Security admission to keys.
func labelled(short map[string]string) map[string]string {
	set := map[string]string{}
	for key, value := range short {
		set[labelPrefix+key] = value
	}
	return set
}

func TestPodSecurityLabels(t *testing.T) {
	good := map[string]string{"enforce": "baseline", "warn": "baseline", "audit": "baseline"}
	with := func(more map[string]string) map[string]string {
		set := maps.Clone(good)
		maps.Copy(set, more)
		return set
	}
	field := func(mode string) string { return "metadata.labels[pod-security.kubernetes.io/" + mode + "]: " }
	tests := map[string]struct {
		labels map[string]string
		want   []string
	}{
		"equal":                              {labels: good},
		"stricter":                           {labels: with(map[string]string{"enforce": "restricted"})},
		"what is enforced needs no warning":  {labels: map[string]string{"enforce": "restricted"}},
		"the same version":                   {labels: with(map[string]string{"enforce-version": "v1.30"})},
		"a newer version":                    {labels: with(map[string]string{"enforce-version": "v1.31"})},
		"an older version in one other mode": {labels: with(map[string]string{"warn-version": "v1.2"})},
		"an older version": {
			labels: with(map[string]string{"enforce-version": "v1.9"}),
			want:   []string{field("enforce-version") + `label is "v1.9", it must be "v1.30" or stricter  [podSecurityLabels]`},
		},
		"a version that is none": {
			labels: with(map[string]string{"enforce-version": "1.30"}),
			want:   []string{field("enforce-version") + `label is "1.30", it must be "v1.30" or stricter  [podSecurityLabels]`},
		},
		"a weaker level": {
			labels: with(map[string]string{"enforce": "privileged"}),
			want:   []string{field("enforce") + `label is "privileged", it must be "baseline" or stricter  [podSecurityLabels]`},
		},
		"a level that is none": {
			labels: with(map[string]string{"enforce": "Baseline"}),
			want:   []string{field("enforce") + `label is "Baseline", it must be "baseline" or stricter  [podSecurityLabels]`},
		},
	}
	environment := read[v1alpha1.Environment](t, `
spec: {rules: {podSecurity: {level: baseline, version: v1.30}}, namespaceSettings: {podSecurityLabels: true}}`)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			live := labelled(test.labels)
			compare(t, test.want, told(Judge(environment, State{Labels: live})))
			applied := maps.Clone(live)
			maps.Copy(applied, Labels(environment, live))
			compare(t, nil, told(Judge(environment, State{Labels: applied})))
		})
	}
}

func TestStricterLabelsAreKept(t *testing.T) {
	environment := read[v1alpha1.Environment](t, `
spec: {rules: {podSecurity: {level: baseline, version: v1.30, enforcement: Warn}}, namespaceSettings: {podSecurityLabels: true}}`)
	got := Labels(environment, labelled(map[string]string{"warn": "restricted", "warn-version": "v1.20", "audit": "privileged", "audit-version": "latest"}))
	want := labelled(map[string]string{"warn": "restricted", "warn-version": "v1.30", "audit": "baseline", "audit-version": "latest"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels differ (-want +got):\n%s", diff)
	}
}
