package admission_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// running is a Pod in JSON with one container, its memory limit, and more of its spec.
func running(image, memory, more string, metadata ...string) []byte {
	return pod(fmt.Sprintf(`{"containers":[{"name":"app","image":%q,"resources":{"limits":{"memory":%q}},"securityContext":{"privileged":%t}}]%s}`,
		image, memory, strings.Contains(more, "bad"), strings.Replace(more, "bad", "", 1)), metadata...)
}

func TestAnUpdateOfAPodIsJudgedByTheRulesThatItIsAbout(t *testing.T) {
	v1, v2 := "r.local/web:v1@"+digestOne, "r.local/web:v2@"+digestTwo
	const debug = `,"ephemeralContainers":[{"name":"debug","image":"r.local/web@%s"%s}]`
	tests := map[string]struct {
		object, old []byte
		subresource string
		refused     string
	}{
		"debugging a good Pod": {
			object: running(v1, "64Mi", fmt.Sprintf(debug, digestTwo, "")), old: running(v1, "64Mi", ""), subresource: "ephemeralcontainers"},
		"debugging a Pod that has too much memory since before": {
			object: running(v1, "4Gi", fmt.Sprintf(debug, digestTwo, "")), old: running(v1, "4Gi", ""), subresource: "ephemeralcontainers"},
		"debugging by an image that is not signed": {
			object: running(v1, "64Mi", fmt.Sprintf(debug, digestBad, "")), old: running(v1, "64Mi", ""), subresource: "ephemeralcontainers", refused: "[signatures]"},
		"debugging by a privileged container": {
			object: running(v1, "64Mi", fmt.Sprintf(debug, digestTwo, `,"securityContext":{"privileged":true}`)), old: running(v1, "64Mi", ""), subresource: "ephemeralcontainers", refused: "[podSecurity]"},
		"debugging a Pod that was privileged before, as the API server judges it": {
			object: running(v1, "64Mi", "bad"+fmt.Sprintf(debug, digestTwo, "")), old: running(v1, "64Mi", "bad"), subresource: "ephemeralcontainers", refused: "[podSecurity]"},
		"a resize within bounds":                            {object: running(v1, "128Mi", ""), old: running(v1, "64Mi", ""), subresource: "resize"},
		"a resize beyond the maximum":                       {object: running(v1, "4Gi", ""), old: running(v1, "64Mi", ""), subresource: "resize", refused: "[resources]"},
		"a resize of a Pod that was privileged before":      {object: running(v1, "128Mi", "bad"), old: running(v1, "64Mi", "bad"), subresource: "resize"},
		"a resize of a Pod that lacks a label since before": {object: running(v1, "128Mi", ""), old: running(v1, "64Mi", ""), subresource: "resize"},
		"another image of a Pod that lacks a label":         {object: running(v2, "64Mi", ""), old: running(v1, "64Mi", "")},
		"another image that is not signed":                  {object: running("r.local/bad@"+digestBad, "64Mi", ""), old: running(v1, "64Mi", ""), refused: "[signatures]"},
		"another image and a resize at once":                {object: running(v2, "4Gi", ""), old: running(v1, "64Mi", ""), refused: "[resources]"},
		"another image of a Pod that is being deleted": {
			object: running("r.local/bad@"+digestBad, "64Mi", "", `"deletionTimestamp":"2026-11-23T09:00:00Z"`),
			old:    running(v1, "64Mi", "", `"deletionTimestamp":"2026-11-23T09:00:00Z"`), refused: "[signatures]"},
		"a field that no update can change today": {
			object: running(v1, "64Mi", `,"volumes":[{"name":"h","hostPath":{"path":"/"}}]`), old: running(v1, "64Mi", ""), refused: "[labels]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules = v1alpha1.Rules{
				Signatures:  &v1alpha1.SignatureRules{},
				PodSecurity: &v1alpha1.PodSecurityRules{Level: "baseline", Version: "latest"},
				Resources:   &v1alpha1.ResourceRules{Max: quantities("memory", "1Gi")},
				Metadata:    &v1alpha1.MetadataRules{Labels: []v1alpha1.RequiredMetadata{{Key: "team"}}},
			}
			response := w.validate(review{object: tt.object, old: tt.old, user: user("ann"), subresource: tt.subresource})
			if tt.refused == "" {
				requireAllowed(t, response)
				return
			}
			requireRefused(t, response, tt.refused)
		})
	}
}

func TestCustomRulesSeeWhatChangesOutsideOfTheTemplate(t *testing.T) {
	app := template("r.local/bad:v1")
	with := func(spec string) []byte {
		return []byte(strings.Replace(string(deployment("web", "d1", app)), `"replicas":3`, spec, 1))
	}
	tests := map[string]struct {
		object  []byte
		custom  bool
		verdict string
	}{
		"another strategy":                           {object: with(`"replicas":3,"strategy":{"type":"Recreate"}`), custom: true, verdict: "denied"},
		"another strategy where no rule looks at it": {object: with(`"replicas":3,"strategy":{"type":"Recreate"}`), verdict: "unjudged"},
		"a permitted change":                         {object: with(`"replicas":3,"minReadySeconds":5`), custom: true, verdict: "allowed"},
		"scaling and pausing":                        {object: with(`"replicas":0,"paused":true`), custom: true, verdict: "unjudged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules = strict()
			if tt.custom {
				w.environment.Spec.Rules.Custom = []v1alpha1.CustomRule{{
					Name: "no-recreate", Message: "must not be recreated", Expression: `!has(object.spec.strategy) || object.spec.strategy.type != "Recreate"`,
				}}
			}
			for _, port := range []string{"imagePolicies", "images", "access", "keys"} {
				w.down[port] = errors.New("down")
			}
			response := w.validate(review{object: tt.object, old: deployment("web", "d1", app), user: user("ann")})
			if got := response.AuditAnnotations[admission.AuditVerdict]; got != tt.verdict {
				t.Errorf("verdict %q, want %q: %+v", got, tt.verdict, response.Result)
			}
			if tt.verdict == "denied" {
				requireRefused(t, response, "1 violation\n", "must not be recreated  [custom/no-recreate]")
			}
		})
	}
}
