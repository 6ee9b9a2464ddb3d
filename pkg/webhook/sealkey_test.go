package webhook

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func sealSecretName() types.NamespacedName {
	return types.NamespacedName{Namespace: "rune-system", Name: SealSecretName}
}

func newSealKeys(c client.Client) (*sealKeys, *clocktesting.FakePassiveClock) {
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return &sealKeys{live: c, writer: c, secret: sealSecretName(), clock: clock}, clock
}

func mustKey(t *testing.T, s *sealKeys) []byte {
	t.Helper()
	key, err := s.SealKey(t.Context())
	if err != nil {
		t.Fatalf("SealKey: %v", err)
	}
	return key
}

func storedKey(t *testing.T, c client.Client) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := c.Get(t.Context(), sealSecretName(), secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestReplicasThatRaceShareOneKey(t *testing.T) {
	c := newFakeClient(t)
	keys := make([][]byte, 8)
	var group sync.WaitGroup
	for i := range keys {
		s, _ := newSealKeys(c)
		group.Go(func() {
			key, err := s.SealKey(t.Context())
			if err != nil {
				t.Errorf("SealKey: %v", err)
			}
			keys[i] = key
		})
	}
	group.Wait()
	secret := storedKey(t, c)
	for i := range keys {
		if !bytes.Equal(keys[i], secret.Data["key"]) || len(keys[i]) != 32 {
			t.Errorf("replica %d has another key than what is stored", i)
		}
	}
	if secret.Immutable == nil || !*secret.Immutable {
		t.Error("the Secret can be changed")
	}
}

func TestExistingKeyIsNeverWritten(t *testing.T) {
	for name, length := range map[string]int{"a good one": 40, "one that is too short": 31, "none": 0} {
		t.Run(name, func(t *testing.T) {
			want := bytes.Repeat([]byte("k"), length)
			c := newFakeClient(t, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "rune-system", Name: SealSecretName},
				Data:       map[string][]byte{"key": want},
			})
			before := storedKey(t, c).ResourceVersion
			s, _ := newSealKeys(c)
			key, err := s.SealKey(t.Context())
			if length >= 32 && (err != nil || !bytes.Equal(key, want)) {
				t.Errorf("%q, %v", key, err)
			}
			if length < 32 && (err == nil || !strings.Contains(err.Error(), "restore it from a backup")) {
				t.Errorf("error %v", err)
			}
			if storedKey(t, c).ResourceVersion != before {
				t.Error("the Secret was written")
			}
		})
	}
}

func TestDeletedKeyComesBackFromMemory(t *testing.T) {
	c := newFakeClient(t)
	s, clock := newSealKeys(c)
	want := bytes.Clone(mustKey(t, s))
	if err := c.Delete(t.Context(), storedKey(t, c)); err != nil {
		t.Fatal(err)
	}
	clock.SetTime(clock.Now().Add(sealKeyAge))
	if got := mustKey(t, s); !bytes.Equal(got, want) {
		t.Error("the key changed")
	}
	if !bytes.Equal(storedKey(t, c).Data["key"], want) {
		t.Error("another key was stored")
	}
}

func TestReplacedKeyIsNoticed(t *testing.T) {
	c := newFakeClient(t)
	s, clock := newSealKeys(c)
	old := bytes.Clone(mustKey(t, s))
	secret := storedKey(t, c)
	if err := c.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("n"), 32)
	secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "rune-system", Name: SealSecretName}, Data: map[string][]byte{"key": want}}
	if err := c.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if got := mustKey(t, s); !bytes.Equal(got, old) {
		t.Error("the Secret is read at each request")
	}
	clock.SetTime(clock.Now().Add(sealKeyAge))
	if got := mustKey(t, s); !bytes.Equal(got, want) {
		t.Error("the new key is not used")
	}
}

func TestKeyOutlivesAnOutage(t *testing.T) {
	down := false
	inner := newFakeClient(t)
	c := interceptor.NewClient(inner, interceptor.Funcs{
		Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if down {
				return errors.New("no answer")
			}
			return w.Get(ctx, key, object, options...)
		},
	})
	s, clock := newSealKeys(c)
	want := bytes.Clone(mustKey(t, s))
	down = true
	clock.SetTime(clock.Now().Add(time.Hour))
	if got := mustKey(t, s); !bytes.Equal(got, want) {
		t.Error("another key during the outage")
	}
	cold, _ := newSealKeys(c)
	if _, err := cold.SealKey(t.Context()); err == nil {
		t.Error("a process without memory makes up a key during the outage")
	}
}
