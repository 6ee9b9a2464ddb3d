package registration

import (
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiserver/pkg/admission"
)

func TestConfigurationIsJudgedWhenItsSpecChanges(t *testing.T) {
	w := newWorld(t)
	w.settled(t)
	entry := w.entry(t, configurationName)
	if path := *entry.ClientConfig.Service.Path; path != "/configuration" || *entry.FailurePolicy != admissionregistrationv1.Ignore {
		t.Errorf("path %q, %s", path, *entry.FailurePolicy)
	}
	m := matcher(t, 30, entry.MatchConditions)
	const one, labelled, two = `{"spec":{"purpose":"a"}}`, `{"metadata":{"labels":{"a":"b"}},"spec":{"purpose":"a"}}`, `{"spec":{"purpose":"b"}}`
	for name, test := range map[string]struct {
		operation   admission.Operation
		object, old string
		want        bool
	}{
		"a creation":          {admission.Create, one, "", true},
		"another spec":        {admission.Update, two, one, true},
		"labels":              {admission.Update, labelled, one, false},
		"a spec that goes":    {admission.Update, `{}`, one, true},
		"nothing to look at":  {admission.Update, `{}`, `{}`, false},
		"a spec that appears": {admission.Update, one, `{}`, true},
	} {
		if got := (review{"rune.runeframeos.com", "environments", "", test.operation, test.object, test.old}).asked(t, m); got != test.want {
			t.Errorf("%s: asked=%v", name, got)
		}
	}
}
