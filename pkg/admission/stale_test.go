package admission_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestAnImageThatIsAdmittedByAnEarlierAnswerSaysSo(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules.Signatures = &v1alpha1.SignatureRules{}
	w.stale = `registry "r.local" cannot be reached; verified 3h0m0s ago`
	r := review{object: podOf("r.local/web:v1"), user: user("ann")}
	response, patched := w.mutate(r)
	requireAllowed(t, response)
	if len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], "cannot be reached") {
		t.Errorf("warnings while pinning: %q", response.Warnings)
	}
	r.object = patched
	response = w.validate(r)
	requireAllowed(t, response)
	want := `environment "production": image "r.local/web:v1@` + digestOne + `": registry "r.local" cannot be reached; verified 3h0m0s ago`
	if len(response.Warnings) != 1 || response.Warnings[0] != want {
		t.Errorf("warnings %q, want %q", response.Warnings, want)
	}
	if response.AuditAnnotations[admission.AuditStale] == "" {
		t.Errorf("audit annotations %v say nothing of it", response.AuditAnnotations)
	}
}

func TestTheImagesOfAPodAreAskedForWithItsOwnCredentials(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules.Signatures = &v1alpha1.SignatureRules{}
	object := strings.Replace(string(podOf("r.local/web@"+digestOne)), `"spec":{`, `"spec":{"serviceAccountName":"web","imagePullSecrets":[{"name":"b"},{"name":"a"}],`, 1)
	requireAllowed(t, w.validate(review{object: []byte(object), user: user("ann")}))
	if got := w.access.Key(); got != "prod/web/a/b" {
		t.Errorf("access %q, want prod/web/a/b", got)
	}
}
