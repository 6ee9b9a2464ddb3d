package admission_test

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func quantities(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

// rollouts declare a kind whose operator is a service account.
func rollouts() []v1alpha1.WorkloadKind {
	return []v1alpha1.WorkloadKind{{
		Group: "example.org", Kind: "Rollout", Resource: "rollouts", TemplatePath: "spec.template", Controllers: []string{"rollouts/operator"},
	}}
}

func rollout(image string) []byte {
	return object("example.org/v1", "Rollout", "web", "ro1", template(image))
}

func TestDeclaredKindsAreJudgedLikeADeployment(t *testing.T) {
	w := newWorld(t)
	signaturesOnly(w)
	requireAllowed(t, w.validate(review{object: rollout("r.local/bad:v1"), user: user("ann")}))
	w.environment.Spec.WorkloadKinds = rollouts()
	requireRefused(t, w.validate(review{object: rollout("r.local/bad:v1"), user: user("ann")}), `refuses Rollout "web"`, "spec.template.spec.containers[0].image", "[signatures]")
	requireAllowed(t, w.validate(review{object: rollout("r.local/web:v1"), user: user("ann")}))
	requireRefused(t, w.validate(review{object: rollout("r.local/bad:v1"), old: rollout("r.local/web:v1"), user: user("ann")}), "[signatures]")
	requireAllowed(t, w.validate(review{object: rollout("r.local/bad:v1"), old: rollout("r.local/bad:v1"), user: user("ann")}))
	requireAllowed(t, w.validate(review{object: rollout("r.local/bad:v1"), subresource: "status", user: user("ann")}))
	elsewhere := []byte(`{"apiVersion":"example.org/v1","kind":"Rollout","metadata":{"name":"web","namespace":"prod"},"spec":{"workloadRef":{"name":"web"}}}`)
	requireAllowed(t, w.validate(review{object: elsewhere, user: user("ann")}))
	requireRefused(t, w.validate(review{object: rollout("r.local/bad:v1"), old: elsewhere, user: user("ann")}), "[signatures]")
	w.down["policies"] = errors.New("connection refused")
	requireRefused(t, w.validate(review{object: rollout("r.local/web:v1"), user: user("ann")}), `reading Environment "production"`)
}

func TestChildrenOfADeclaredKindAreMadeByItsOperators(t *testing.T) {
	owned := ownedBy("example.org/v1", "Rollout", "web", "ro1")
	labeled := `{"metadata":{"labels":{"app":"web","rollouts-pod-template-hash":"x"}},"spec":{"containers":[{"name":"app","image":"r.local/web:v1","imagePullPolicy":"Always"}]}}`
	tests := map[string]struct {
		object  []byte
		by      string
		groups  []string
		kinds   []v1alpha1.WorkloadKind
		refused string
	}{
		"its operator": {object: object("apps/v1", "ReplicaSet", "web-1", "", labeled, owned),
			by: "system:serviceaccount:rollouts:operator", groups: []string{"system:serviceaccounts:rollouts"}},
		"its operator's name without the group": {object: object("apps/v1", "ReplicaSet", "web-1", "", labeled, owned),
			by: "system:serviceaccount:rollouts:operator", refused: "needs an approved Release"},
		"another service account": {object: object("apps/v1", "ReplicaSet", "web-1", "", labeled, owned),
			by: "system:serviceaccount:rollouts:other", groups: []string{"system:serviceaccounts:rollouts"}, refused: "needs an approved Release"},
		"a person": {object: object("apps/v1", "ReplicaSet", "web-1", "", labeled, owned), by: "ann", refused: "needs an approved Release"},
		"another template": {object: object("apps/v1", "ReplicaSet", "web-1", "", template("r.local/bad:v1"), owned),
			by: "system:serviceaccount:rollouts:operator", groups: []string{"system:serviceaccounts:rollouts"}, refused: "does not match the pod template of its owner"},
		"an owner that does not exist": {object: object("apps/v1", "ReplicaSet", "web-1", "", labeled, ownedBy("example.org/v1", "Rollout", "api", "ro2")),
			by: "system:serviceaccount:rollouts:operator", groups: []string{"system:serviceaccounts:rollouts"}, refused: `Rollout "api" does not exist`},
		"an owner of a kind that is not declared": {object: object("apps/v1", "ReplicaSet", "web-1", "", labeled, ownedBy("example.org/v1", "Other", "web", "ro1")),
			by: "system:serviceaccount:rollouts:operator", groups: []string{"system:serviceaccounts:rollouts"}, refused: "needs an approved Release"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
			w.environment.Spec.WorkloadKinds = rollouts()
			w.store(rollout("r.local/web:v1"))
			response := w.validate(review{object: tt.object, user: user(tt.by, tt.groups...)})
			if tt.refused != "" {
				requireRefused(t, response, tt.refused, "[approval]")
			} else {
				requireAllowed(t, response)
			}
		})
	}
}

func TestVolumesOfADeclaredKindMatchAsTheAPIServerDefaultsThem(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
	w.environment.Spec.WorkloadKinds = rollouts()
	volumes := func(text string) string {
		return `{"spec":{"containers":[{"name":"app","image":"r.local/web:v1"}],"volumes":[` + text + `]}}`
	}
	w.store(object("example.org/v1", "Rollout", "web", "ro1", volumes(`{"name":"a","configMap":{"name":"c"}},{"name":"b"},{"name":"t","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}`)))
	made := func(mode string) []byte {
		return object("apps/v1", "ReplicaSet", "web-1", "", volumes(`{"name":"a","configMap":{"name":"c","defaultMode":`+mode+`}},{"name":"b","emptyDir":{}},`+
			`{"name":"t","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":3600}}]}}`), ownedBy("example.org/v1", "Rollout", "web", "ro1"))
	}
	operator := user("system:serviceaccount:rollouts:operator", "system:serviceaccounts:rollouts")
	requireAllowed(t, w.validate(review{object: made("420"), user: operator}))
	requireRefused(t, w.validate(review{object: made("511"), user: operator}), "does not match")
}
