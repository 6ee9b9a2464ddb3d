package admission_test

import (
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// A ReplicaSet that somebody left must not become a revision that a workload may return to.
func TestNobodyButControllersGivesAWorkloadARevision(t *testing.T) {
	const plain = `{"metadata":{"name":"evil","namespace":"shop","annotations":{"a":"b"}},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"x"}]}}}}`
	const labelled = `{"metadata":{"name":"evil","namespace":"shop","labels":{"app":"web"}},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"x"}]}}}}`
	const owned = `{"metadata":{"name":"evil","namespace":"shop","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"1","controller":true}]},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"x"}]}}}}`
	account := func(namespace, name string) authenticationv1.UserInfo {
		return user("system:serviceaccount:"+namespace+":"+name, "system:serviceaccounts:"+namespace)
	}
	tests := map[string]struct {
		user        authenticationv1.UserInfo
		old, object string
		rules       v1alpha1.Rules
		refused     bool
	}{
		"a user labels":                    {user("ann"), plain, labelled, v1alpha1.Rules{Approval: &v1alpha1.ApprovalRules{}}, true},
		"a user sets an owner":             {user("ann"), plain, owned, v1alpha1.Rules{Approval: &v1alpha1.ApprovalRules{}}, true},
		"a user labels, under access":      {user("ann"), plain, labelled, v1alpha1.Rules{Access: &v1alpha1.AccessRules{}}, true},
		"a user annotates":                 {user("ann"), `{"metadata":{"name":"evil","namespace":"shop"},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"x"}]}}}}`, plain, v1alpha1.Rules{Approval: &v1alpha1.ApprovalRules{}}, false},
		"a user labels without such rules": {user("ann"), plain, labelled, v1alpha1.Rules{}, false},
		"the deployment controller adopts": {account("kube-system", "deployment-controller"), plain, owned, v1alpha1.Rules{Approval: &v1alpha1.ApprovalRules{}}, false},
		"the garbage collector orphans":    {account("kube-system", "generic-garbage-collector"), owned, plain, v1alpha1.Rules{Approval: &v1alpha1.ApprovalRules{}}, false},
		"a controller's namesake":          {account("shop", "deployment-controller"), plain, owned, v1alpha1.Rules{Approval: &v1alpha1.ApprovalRules{}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"ReplicaSet", "ControllerRevision"} {
				w := newWorld(t)
				w.environment.Spec.Rules = tt.rules
				response := w.judge.Validate(t.Context(), environmentName, &admissionv1.AdmissionRequest{
					UID: "1", Name: "evil", Namespace: "shop", Operation: admissionv1.Update,
					Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: kind}, UserInfo: tt.user,
					Object: runtime.RawExtension{Raw: []byte(tt.object)}, OldObject: runtime.RawExtension{Raw: []byte(tt.old)},
				})
				if response.Allowed == tt.refused {
					t.Errorf("%s: allowed %v: %+v", kind, response.Allowed, response.Result)
				}
			}
		})
	}
}
