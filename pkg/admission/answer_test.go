package admission_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestEnforcementDecidesWhatAViolationDoes(t *testing.T) {
	tests := map[string]struct {
		enforcement v1alpha1.Enforcement
		allowed     bool
		warned      bool
		verdict     string
	}{
		"Enforce":        {enforcement: v1alpha1.EnforcementEnforce, verdict: "denied"},
		"by default":     {verdict: "denied"},
		"an unknown one": {enforcement: "Whatever", verdict: "denied"},
		"Warn":           {enforcement: v1alpha1.EnforcementWarn, allowed: true, warned: true, verdict: "warned"},
		"Audit":          {enforcement: v1alpha1.EnforcementAudit, allowed: true, verdict: "audited"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules, w.environment.Spec.Enforcement = strict(), tt.enforcement
			long := "r.local/" + strings.Repeat("a", 200) + ":v1"
			response := w.validate(review{object: deployment("web", "", template(long)), user: user("ann")})
			if response.Allowed != tt.allowed || (len(response.Warnings) > 0) != tt.warned ||
				response.AuditAnnotations[admission.AuditVerdict] != tt.verdict {
				t.Errorf("allowed %t, warnings %q, annotations %v", response.Allowed, response.Warnings, response.AuditAnnotations)
			}
			if got := response.AuditAnnotations[admission.AuditRules]; got != "approval,podSecurity,resources,signatures" {
				t.Errorf("rules = %q", got)
			}
			if tt.allowed && !strings.Contains(response.AuditAnnotations[admission.AuditViolations], "limits.memory") {
				t.Errorf("the audit annotation does not hold the violations: %v", response.AuditAnnotations)
			}
			for _, warning := range response.Warnings {
				if len(warning) > 256 || !utf8.ValidString(warning) || strings.Contains(warning, "\n") {
					t.Errorf("warning of %d bytes: %q", len(warning), warning)
				}
			}
		})
	}
}

func TestADryRunWarnsAboutTheMissingApprovalOnly(t *testing.T) {
	w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
	r := toV2()
	r.dryRun = true
	response := w.validate(r)
	requireAllowed(t, response)
	if len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], `Release "web-7" has 0 of 1 approvals`) {
		t.Errorf("warnings = %q, want the missing approval", response.Warnings)
	}
	w.environment.Spec.Rules.Resources = strict().Resources
	response = w.validate(r)
	requireRefused(t, response, "[resources]")
	if strings.Contains(response.Result.Message, "[approval]") || len(response.Warnings) != 1 {
		t.Errorf("message %s, warnings %q", response.Result.Message, response.Warnings)
	}
	r.dryRun = false
	requireRefused(t, w.validate(r), "[approval]", "[resources]")
}

func TestWhatNobodyCouldJudgeIsDenied(t *testing.T) {
	down := errors.New("connection refused")
	tests := map[string]struct {
		port string
		want string
	}{
		"the Environment cannot be read":      {port: "policies", want: `reading Environment "production": connection refused`},
		"the ImagePolicies cannot be read":    {port: "imagePolicies", want: "reading the ImagePolicies"},
		"the Release cannot be read":          {port: "objects", want: `reading Release "web-7": connection refused`},
		"the key of the seals cannot be read": {port: "keys", want: "reading the seal key: connection refused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
			signaturesOnly(w)
			w.approve("web-7", "ben")
			requireAllowed(t, w.validate(toV2()))
			w.down[tt.port] = down
			response := w.validate(toV2())
			requireRefused(t, response, `environment "production" could not judge Deployment "web"`, tt.want)
			if response.AuditAnnotations[admission.AuditVerdict] != "undecided" || response.Result.Code != 503 {
				t.Errorf("code %d, annotations %v", response.Result.Code, response.AuditAnnotations)
			}
		})
	}
	t.Run("the authorizer cannot be asked", func(t *testing.T) {
		w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
		w.down["access"] = down
		response, _ := w.mutate(review{object: approval("web-7-ben", "web-7", string(w.objects[keyRelease].GetUID())), user: user("ben")})
		requireRefused(t, response, `asking whether user "ben" may approve`)
	})
	t.Run("a policy whose glob cannot be read", func(t *testing.T) {
		w := newWorld(t)
		signaturesOnly(w)
		w.policies[0].Spec.Images = []string{"r.local/**", "r.local/Web"}
		requireRefused(t, w.validate(review{object: podOf("r.local/web@" + digestOne), user: user("ann")}), `could not judge Pod "web-1": reading ImagePolicy "web"`)
	})
	t.Run("in Warn mode it is a warning", func(t *testing.T) {
		w := newWorld(t)
		signaturesOnly(w)
		w.environment.Spec.Enforcement, w.down["imagePolicies"] = v1alpha1.EnforcementWarn, down
		response := w.validate(review{object: podOf("r.local/web@" + digestOne), user: user("ann")})
		requireAllowed(t, response)
		if len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], "could not judge") {
			t.Errorf("warnings = %q", response.Warnings)
		}
	})
	t.Run("in Warn mode where a rule enforces it is a denial", func(t *testing.T) {
		w := newWorld(t)
		signaturesOnly(w)
		w.environment.Spec.Rules.Signatures.Enforcement = v1alpha1.EnforcementEnforce
		w.environment.Spec.Enforcement, w.down["imagePolicies"] = v1alpha1.EnforcementWarn, down
		requireRefused(t, w.validate(review{object: podOf("r.local/web@" + digestOne), user: user("ann")}), "could not judge")
	})
	t.Run("an object that cannot be read", func(t *testing.T) {
		w := newWorld(t)
		request := w.request(review{object: podOf("x"), user: user("ann")})
		request.Object.Raw = []byte(`{"spec":[`)
		requireRefused(t, w.judge.Validate(t.Context(), environmentName, request), "could not judge Pod")
	})
	t.Run("no request", func(t *testing.T) {
		requireRefused(t, newWorld(t).judge.Validate(t.Context(), environmentName, nil), "holds no request")
	})
}

// slowImages answers when its context ends.
type slowImages struct{ *world }

func (slowImages) Verify(ctx context.Context, _ proof.Question) (proof.Finding, error) {
	<-ctx.Done()
	return proof.Finding{}, errors.New(`registry "r.local" did not answer in time`)
}

func TestARequestEndsAtItsDeadlineAndTellsTheCause(t *testing.T) {
	w := newWorld(t)
	signaturesOnly(w)
	judge, err := admission.New(admission.Config{
		Policies: w, Images: slowImages{w}, Objects: w, Access: w, Keys: w,
		Clock: testclock.NewFakePassiveClock(time.Now()), Log: logr.Discard(), Timeout: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	response := judge.Validate(t.Context(), environmentName, w.request(review{object: podOf("r.local/web@" + digestOne), user: user("ann")}))
	requireRefused(t, response, "could not be checked: registry \"r.local\" did not answer in time")
}

func TestEveryDecisionIsOneLogLine(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules = strict()
	var lines []string
	judge, err := admission.New(admission.Config{
		Policies: w, Images: w, Objects: w, Access: w, Keys: w, Clock: w.clock,
		Log: funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	judge.Validate(t.Context(), environmentName, w.request(review{object: podOf("r.local/bad:v1"), user: user("ann")}))
	judge.Validate(t.Context(), environmentName, w.request(review{object: podOf("x"), old: podOf("x"), user: user("ann")}))
	if len(lines) != 1 {
		t.Fatalf("%d lines, want one for the denial and none for the unchanged update: %q", len(lines), lines)
	}
	for _, text := range []string{`"verdict"="denied"`, `"environment"="production"`, `"kind"="Pod"`, `"user"="ann"`, `"rules"="approval,pin,podSecurity,resources,signatures"`} {
		if !strings.Contains(lines[0], text) {
			t.Errorf("the line lacks %s: %s", text, lines[0])
		}
	}
}

func TestAJudgeNeedsAllItsPorts(t *testing.T) {
	if judge, err := admission.New(admission.Config{}); err == nil {
		t.Errorf("New = %v, want an error", judge)
	}
}
