package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var secretName = types.NamespacedName{Namespace: "rune-system", Name: "rune-webhook-cert"}

type publication func(*x509.Certificate) (bool, error)

func (p publication) Published(_ context.Context, ca *x509.Certificate) (bool, error) { return p(ca) }

func newTestKeeper(c client.Client, clock *clocktesting.FakePassiveClock) *Keeper {
	return NewKeeper(Options{
		Reader: c, Writer: c, Secret: secretName, Policy: testPolicy(), Clock: clock,
		Publication: publication(func(*x509.Certificate) (bool, error) { return true, nil }),
	})
}

func stored(t *testing.T, c client.Client) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := c.Get(t.Context(), secretName, secret); err != nil {
		t.Fatalf("reading the Secret: %v", err)
	}
	return secret
}

func TestKeeperServesNothingBeforeItHasAnything(t *testing.T) {
	k := newTestKeeper(fake.NewFakeClient(), clocktesting.NewFakePassiveClock(start()))
	if _, err := k.GetCertificate(nil); !errors.Is(err, errNotLoaded) {
		t.Errorf("GetCertificate: %v", err)
	}
	if err := k.Ready(); !errors.Is(err, errNotLoaded) {
		t.Errorf("Ready: %v", err)
	}
	if bundle := k.Bundle(); bundle != nil {
		t.Errorf("Bundle: %s", bundle)
	}
}

func TestKeepersThatRaceEndWithOneCertificate(t *testing.T) {
	c := fake.NewFakeClient()
	clock := clocktesting.NewFakePassiveClock(start())
	keepers := make([]*Keeper, 8)
	var group sync.WaitGroup
	errs := make([]error, len(keepers))
	for i := range keepers {
		keepers[i] = newTestKeeper(c, clock)
		group.Go(func() { errs[i] = keepers[i].Ensure(t.Context()) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	want, err := Parse(stored(t, c).Data)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keepers {
		if !k.current.Load().equal(want) {
			t.Errorf("replica %d serves something else than what is stored", i)
		}
	}
}

// Another replica writes between our read and our write, each time but the last.
func TestKeeperTakesWhatAFasterReplicaWrote(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start())
	inner := fake.NewFakeClient()
	fast := newTestKeeper(inner, clock)
	conflicts := 0
	c := interceptor.NewClient(inner, interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, object client.Object, options ...client.CreateOption) error {
			conflicts++
			if err := fast.Ensure(ctx); err != nil {
				return err
			}
			return w.Create(ctx, object, options...)
		},
	})
	slow := newTestKeeper(c, clock)
	if err := slow.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if conflicts != 1 {
		t.Errorf("%d attempts to create, want 1", conflicts)
	}
	if !slow.current.Load().equal(fast.current.Load()) {
		t.Error("the slower replica serves something else")
	}
}

func TestKeeperGivesUpOnAnEndlessConflict(t *testing.T) {
	inner := fake.NewFakeClient(&corev1.Secret{})
	clock := clocktesting.NewFakePassiveClock(start())
	if err := newTestKeeper(inner, clock).Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.SetTime(start().Add(61 * day))
	updates := 0
	c := interceptor.NewClient(inner, interceptor.Funcs{
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			updates++
			return apierrors.NewConflict(corev1.Resource("secrets"), secretName.Name, errors.New("changed"))
		},
	})
	if err := newTestKeeper(c, clock).Ensure(t.Context()); err == nil {
		t.Error("no error")
	}
	if updates != attempts {
		t.Errorf("%d updates, want %d", updates, attempts)
	}
}

func TestDamagedSecretIsWrittenAgain(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, c client.Client){
		"a key is cut": func(t *testing.T, c client.Client) {
			secret := stored(t, c)
			secret.Data[keyServingKey] = secret.Data[keyServingKey][:30]
			if err := c.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		},
		"all is gone": func(t *testing.T, c client.Client) {
			secret := stored(t, c)
			secret.Data = nil
			if err := c.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		},
		"the Secret is deleted": func(t *testing.T, c client.Client) {
			if err := c.Delete(t.Context(), stored(t, c)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run("from memory when "+name, func(t *testing.T) {
			c := fake.NewFakeClient()
			k := newTestKeeper(c, clocktesting.NewFakePassiveClock(start()))
			if err := k.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := k.current.Load()
			damage(t, c)
			secret := &corev1.Secret{}
			if err := c.Get(t.Context(), secretName, secret); err == nil {
				if err := k.Load(secret); err == nil {
					t.Error("Load took the damaged Secret")
				}
			}
			if !k.current.Load().equal(before) {
				t.Error("what is served changed with the damage")
			}
			if err := k.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			after, err := Parse(stored(t, c).Data)
			if err != nil {
				t.Fatal(err)
			}
			if !after.equal(before) || !k.current.Load().equal(before) {
				t.Error("the certificates changed: API servers would distrust this process")
			}
		})
		t.Run("anew by a process without memory when "+name, func(t *testing.T) {
			c := fake.NewFakeClient()
			clock := clocktesting.NewFakePassiveClock(start())
			if err := newTestKeeper(c, clock).Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			damage(t, c)
			k := newTestKeeper(c, clock)
			if err := k.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := accepts(t, k.Bundle(), k.current.Load().Serving.Cert, start()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestExpiryIsNotReadyAndRenewedByEnsure(t *testing.T) {
	c := fake.NewFakeClient()
	clock := clocktesting.NewFakePassiveClock(start())
	k := newTestKeeper(c, clock)
	if err := k.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.Ready(); err != nil {
		t.Errorf("Ready: %v", err)
	}
	clock.SetTime(start().Add(90*day + time.Minute))
	if err := k.Ready(); err == nil {
		t.Error("an expired certificate counts as ready")
	}
	if err := k.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.Ready(); err != nil {
		t.Errorf("Ready after renewal: %v", err)
	}
}

func TestAuthorityWaitsWhileThePublicationCannotBeRead(t *testing.T) {
	c := fake.NewFakeClient()
	clock := clocktesting.NewFakePassiveClock(start())
	k := newTestKeeper(c, clock)
	failure := errors.New("no answer")
	k.options.Publication = publication(func(*x509.Certificate) (bool, error) { return false, failure })
	if err := k.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.SetTime(start().Add(250 * day))
	if err := k.Ensure(t.Context()); err != nil {
		t.Fatalf("preparing needs no publication: %v", err)
	}
	before := k.current.Load()
	clock.SetTime(start().Add(260 * day))
	if err := k.Ensure(t.Context()); !errors.Is(err, failure) {
		t.Errorf("Ensure: %v", err)
	}
	if !k.current.Load().equal(before) {
		t.Error("the certificates changed")
	}
}
