package admission_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func namespaceOf(name, tier string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{"tier":%q}}}`, name, tier)
}

func TestNobodyTakesANamespaceOutWhoMayNotChangeTheEnvironment(t *testing.T) {
	tests := map[string]struct {
		object, old []byte
		by          string
		enforcement v1alpha1.Enforcement
		verdict     string
	}{
		"out of the selector":                        {object: namespaceOf("shop", "test"), old: namespaceOf("shop", "live"), by: "ann", verdict: "denied"},
		"by who may update the Environment":          {object: namespaceOf("shop", "test"), old: namespaceOf("shop", "live"), by: "adm", verdict: "allowed"},
		"in the degree of the environment":           {object: namespaceOf("shop", "test"), old: namespaceOf("shop", "live"), by: "ann", enforcement: "Warn", verdict: "warned"},
		"within the selector":                        {object: namespaceOf("shop", "live"), old: namespaceOf("shop", "live"), by: "ann", verdict: "unjudged"},
		"into the environment":                       {object: namespaceOf("shop", "live"), old: namespaceOf("shop", "test"), by: "ann", verdict: "unjudged"},
		"a namespace that is listed by name as well": {object: namespaceOf("prod", "test"), old: namespaceOf("prod", "live"), by: "ann", verdict: "unjudged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Enforcement = tt.enforcement
			w.environment.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "live"}}
			w.holders["update"] = []string{"adm"}
			response := w.judge.ValidateNamespace(t.Context(), environmentName, w.request(review{object: tt.object, old: tt.old, user: user(tt.by)}))
			if got := response.AuditAnnotations[admission.AuditVerdict]; got != tt.verdict {
				t.Errorf("verdict %q, want %q: %+v", got, tt.verdict, response.Result)
			}
			if tt.verdict == "denied" {
				requireRefused(t, response, `metadata.labels: these labels take the namespace out`, `verb "update"`, "[namespace]")
			}
		})
	}
}

func TestStampsAreGivenInTheNameOfTheOwner(t *testing.T) {
	w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
	w.environment.Spec.Namespaces = nil
	w.environment.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "live"}}
	r := review{object: release("web-8", "d1", next()), user: user("ann")}
	response, _ := w.mutate(r)
	requireRefused(t, response, `namespace "prod" is not part of environment "production"`)
	w.labels = map[string]map[string]string{"prod": {"tier": "live"}}
	w.admit(r)
	w.owner = "staging"
	response, _ = w.mutate(r)
	requireAllowed(t, response)
	if response.Patch != nil {
		t.Errorf("an environment that does not own the namespace stamped: %s", response.Patch)
	}
	requireAllowed(t, w.validate(r))
}

func configuration(kind, name, spec string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"rune.runeframeos.com/v1alpha1","kind":%q,"metadata":{"name":%q},"spec":%s}`, kind, name, spec)
}

func TestAConfigurationThatNobodyCouldJudgeByIsRefused(t *testing.T) {
	const key = `-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaaaa\n-----END PUBLIC KEY-----\n`
	tests := map[string]struct {
		object  []byte
		refused []string
	}{
		"an Environment": {object: configuration("Environment", "e", `{"namespaces":["a"],"rules":{"images":{"registries":["r.local"]},"custom":[{"name":"a","expression":"true","message":"m"}]}}`)},
		"an ImagePolicy": {object: configuration("ImagePolicy", "p", `{"images":["r.local/**"],"environments":["e"],"authorities":[{"name":"a","key":{"kms":"awskms:///alias/a"}}]}`)},
		"every problem at once": {object: configuration("Environment", "e", `{"namespaces":["a"],"promotesFrom":"e","namespaceSelector":{"matchLabels":{"a b":"c"}},`+
			`"rules":{"images":{"registries":["r.local/Web"]},"metadata":{"labels":[{"key":"a","pattern":"["}]},"custom":[{"name":"a","expression":"object.","message":"m"}],`+
			`"approval":{"validFor":"0s","serviceAccounts":["ci"]},"exemptions":{"maxValidity":"0s"}},`+
			`"workloadKinds":[{"group":"apps","kind":"Deployment","resource":"deployments","templatePath":"spec"},{"group":"example.org","kind":"A","resource":"as","templatePath":"spec","controllers":["x"]}]}`),
			refused: []string{`Environment "e" cannot be used`, "spec.promotesFrom", "spec.namespaceSelector", "compiling rule registries", "compiling rule labels", "compiling rule custom",
				"spec.rules.approval.validFor", "spec.rules.approval.serviceAccounts[0]", "spec.rules.exemptions.maxValidity", "spec.workloadKinds[0]", "spec.workloadKinds[1].controllers[0]"}},
		"a glob that matches nothing": {object: configuration("ImagePolicy", "p", `{"images":["r.local/**","r.local/Web:v1"],"environments":["e"],"authorities":[]}`), refused: []string{"spec.images[1]", "[configuration]"}},
		"a key that is none":          {object: configuration("ImagePolicy", "p", `{"images":["r.local/**"],"environments":["e"],"authorities":[{"name":"a","key":{"data":"`+key+`"}}]}`), refused: []string{"spec.authorities[0].key.data", "is no public key"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, port := range []string{"policies", "objects", "access", "keys"} {
				w.down[port] = errors.New("down")
			}
			response := w.judge.ValidateConfiguration(t.Context(), w.request(review{object: tt.object, user: user("ann")}))
			if len(tt.refused) == 0 {
				requireAllowed(t, response)
				return
			}
			requireRefused(t, response, tt.refused...)
			labeled := []byte(strings.Replace(string(tt.object), `"metadata":{`, `"metadata":{"labels":{"a":"b"},`, 1))
			requireAllowed(t, w.judge.ValidateConfiguration(t.Context(), w.request(review{object: labeled, old: tt.object, user: user("ann")})))
		})
	}
}
