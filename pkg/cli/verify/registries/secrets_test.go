package registries

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func secret(namespace, name, key, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{key: []byte(value)}}
}

func account(name string, pull ...string) *corev1.ServiceAccount {
	made := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	for _, each := range pull {
		made.ImagePullSecrets = append(made.ImagePullSecrets, corev1.LocalObjectReference{Name: each})
	}
	return made
}

func TestPullSecretsAreThoseThatAPodWouldHave(t *testing.T) {
	kube := fake.NewClientset(secret("shop", "own", "x", "1"), secret("shop", "mirror", "x", "2"), secret("shop", "other", "x", "3"), secret("else", "gone", "x", "4"),
		account("default", "mirror", "gone"), account("ci", "other", "own"))
	for name, test := range map[string]struct {
		account string
		named   []string
		want    []string
	}{
		"those of the default service account":            {want: []string{"mirror"}},
		"and those that are named, each once":             {account: "ci", named: []string{"own", "gone"}, want: []string{"own", "other"}},
		"of a service account that there is not":          {account: "nobody", named: []string{"own"}, want: []string{"own"}},
		"none of another namespace, be its name the same": {named: []string{"gone"}, want: []string{"mirror"}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := secrets{kube: kube}.PullSecrets(t.Context(), "shop", test.account, test.named)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for i := range found {
				names = append(names, found[i].Name)
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("secrets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatMayNotBeReadIsNotTakenForNothing(t *testing.T) {
	kube := fake.NewClientset(account("default", "mirror"))
	kube.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "mirror", nil)
	})
	if _, err := (secrets{kube: kube}).PullSecrets(t.Context(), "shop", "", nil); !apierrors.IsForbidden(err) {
		t.Errorf("error %v, want that the Secret may not be read", err)
	}
	if _, err := (secrets{kube: kube}).KeySecret(t.Context(), "key", "cosign.pub"); !apierrors.IsForbidden(err) {
		t.Errorf("error %v, want that the Secret may not be read", err)
	}
}

func TestKeysAreThoseOfTheWebhooksNamespace(t *testing.T) {
	own := secrets{kube: fake.NewClientset(secret("rune-system", "keys", "cosign.pub", "the key"), secret("shop", "theirs", "cosign.pub", "another"))}
	got, err := own.KeySecret(t.Context(), "keys", "cosign.pub")
	if err != nil || string(got) != "the key" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := own.KeySecret(t.Context(), "keys", "other.pub"); err == nil || !strings.Contains(err.Error(), `no key "other.pub"`) {
		t.Errorf("%v", err)
	}
	if _, err := own.KeySecret(t.Context(), "theirs", "cosign.pub"); !apierrors.IsNotFound(err) {
		t.Errorf("%v", err)
	}
}
