package verdictstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

const namespace = "rune-system"

// start of the tests' clock, without a part that a record does not keep.
func start() time.Time { return time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC) }

// sealKey implements Keys.
type sealKey []byte

func (k sealKey) SealKey(context.Context) ([]byte, error) {
	if len(k) == 0 {
		return nil, errors.New("the Secret is gone")
	}
	return k, nil
}

type world struct {
	*Store
	clock  *clocktesting.FakePassiveClock
	client client.WithWatch
}

func newWorld(t *testing.T, intercept interceptor.Funcs) world {
	t.Helper()
	c := fake.NewClientBuilder().WithInterceptorFuncs(intercept).Build()
	clock := clocktesting.NewFakePassiveClock(start())
	return world{client: c, clock: clock, Store: New(Options{
		Live: c, Writer: c, Namespace: namespace, Labels: map[string]string{"app": "rune"},
		Keys: sealKey(bytes.Repeat([]byte("k"), 32)), Clock: clock, Log: logr.Discard(),
	})}
}

func record(content string, at time.Time) proof.Record {
	return proof.Record{Content: []byte(content), At: at, Until: at.Add(time.Hour)}
}

func (w world) save(t *testing.T, changed map[string]proof.Record) {
	t.Helper()
	if err := w.Save(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
}

func (w world) load(t *testing.T) map[string]proof.Record {
	t.Helper()
	records, err := w.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// find returns a record's content; empty where there is none.
func (w world) find(t *testing.T, name string) string {
	t.Helper()
	record, found, err := w.Find(t.Context(), name)
	if err != nil || found != (record.Content != nil) {
		t.Fatal(found, err)
	}
	return string(record.Content)
}

// change rewrites what a ConfigMap holds.
func (w world) change(t *testing.T, n int, change func(data []byte) []byte) {
	t.Helper()
	object := &corev1.ConfigMap{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.VerdictConfigMap(n)}, object); err != nil {
		t.Fatal(err)
	}
	object.BinaryData[dataKey] = change(object.BinaryData[dataKey])
	if err := w.client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsSavedIsLoaded(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	records := map[string]proof.Record{}
	for n := range 200 {
		records[fmt.Sprintf("evidence sha256:%d", n)] = record(fmt.Sprintf(`{"n":%d}`, n), start())
	}
	w.save(t, records)
	if diff := cmp.Diff(records, w.load(t)); diff != "" {
		t.Errorf("loaded something else:\n%s", diff)
	}
	if got := w.find(t, "evidence sha256:7"); got != `{"n":7}` {
		t.Errorf("found %q", got)
	}
	if got := w.find(t, "evidence sha256:x"); got != "" {
		t.Errorf("found %q", got)
	}
	list := &corev1.ConfigMapList{}
	if err := w.client.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != shards || list.Items[0].Labels["app"] != "rune" {
		t.Errorf("%d ConfigMaps, the first with labels %v", len(list.Items), list.Items[0].Labels)
	}
}

func TestTheLaterOfTwoRecordsCounts(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.save(t, map[string]proof.Record{"a": record("first", start())})
	w.save(t, map[string]proof.Record{"a": record("before", start().Add(-time.Minute)), "b": record("other", start())})
	if got := w.find(t, "a"); got != "first" {
		t.Errorf("an earlier record took its place: %q", got)
	}
	w.save(t, map[string]proof.Record{"a": record("second", start().Add(time.Minute))})
	if got := w.find(t, "a"); got != "second" {
		t.Errorf("found %q", got)
	}
	// A removal is older than what another replica has verified since, or it is not.
	w.save(t, map[string]proof.Record{"a": {At: start()}})
	if got := w.find(t, "a"); got != "second" {
		t.Errorf("an earlier removal took it away: %q", got)
	}
	w.save(t, map[string]proof.Record{"a": {At: start().Add(2 * time.Minute)}})
	if got := w.find(t, "a"); got != "" {
		t.Errorf("found %q after its removal", got)
	}
	if got := w.find(t, "b"); got != "other" {
		t.Errorf("found %q", got)
	}
}

func TestARecordFromTheFutureDoesNotStandInTheWay(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.save(t, map[string]proof.Record{"a": record("wrong clock", start().Add(10*time.Hour))})
	w.save(t, map[string]proof.Record{"a": record("right clock", start())})
	if got := w.find(t, "a"); got != "right clock" {
		t.Errorf("found %q", got)
	}
}

func TestWhatDoesNotVerifyIsAbsent(t *testing.T) {
	own := func(t *testing.T) seals {
		t.Helper()
		s, err := newSeals(bytes.Repeat([]byte("k"), 32))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rewrite := func(change func(t *testing.T, content shard)) func(t *testing.T, data []byte) []byte {
		return func(t *testing.T, data []byte) []byte {
			t.Helper()
			content, _ := readShard(data, own(t))
			change(t, content)
			data, err := content.encode()
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	for name, change := range map[string]func(t *testing.T, data []byte) []byte{
		"another content": rewrite(func(_ *testing.T, content shard) { content["a"].record.Content = []byte("forged") }),
		"a longer time":   rewrite(func(_ *testing.T, content shard) { content["a"].record.Until = start().Add(1000 * time.Hour) }),
		"a later time":    rewrite(func(_ *testing.T, content shard) { content["a"].record.At = start().Add(time.Minute) }),
		"another name": rewrite(func(_ *testing.T, content shard) {
			content["a"].name = "a "
			content["a "] = content["a"]
			delete(content, "a")
		}),
		"the end moved into the name": rewrite(func(_ *testing.T, content shard) {
			content["a"].name, content["a"].record.Content = "ag", []byte("enuine")
		}),
		"a seal by another key": rewrite(func(t *testing.T, content shard) {
			t.Helper()
			other, err := newSeals(bytes.Repeat([]byte("x"), 32))
			if err != nil {
				t.Fatal(err)
			}
			content["a"].seal = other.of("a", content["a"].record)
		}),
		"another version": func(t *testing.T, _ []byte) []byte {
			t.Helper()
			data, err := compress([]byte("rune-verdicts/2\n…"))
			if err != nil {
				t.Fatal(err)
			}
			return data
		},
		"not compressed": func(*testing.T, []byte) []byte { return []byte("genuine") },
		"cut off":        func(_ *testing.T, data []byte) []byte { return data[:len(data)-30] },
		"a bomb": func(t *testing.T, _ []byte) []byte {
			t.Helper()
			data, err := compress(append([]byte(header), bytes.Repeat([]byte{0}, 64<<20)...))
			if err != nil {
				t.Fatal(err)
			}
			return data
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, interceptor.Funcs{})
			w.save(t, map[string]proof.Record{"a": record("genuine", start())})
			w.change(t, shardOf("a"), func(data []byte) []byte { return change(t, data) })
			if records := w.load(t); len(records) > 0 {
				t.Errorf("loaded %v", records)
			}
			// The next record is stored all the same.
			w.save(t, map[string]proof.Record{"a": record("again", start())})
			if got := w.find(t, "a"); got != "again" {
				t.Errorf("found %q", got)
			}
		})
	}
}

func TestWhatNoLongerCountsGoes(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.save(t, map[string]proof.Record{"a": record("old", start())})
	w.clock.SetTime(start().Add(2 * time.Hour))
	// A write to the same ConfigMap is what takes it away.
	name := ""
	for n := 0; name == "" || shardOf(name) != shardOf("a"); n++ {
		name = fmt.Sprint(n)
	}
	w.save(t, map[string]proof.Record{name: record("new", w.clock.Now())})
	if diff := cmp.Diff(map[string]proof.Record{name: record("new", w.clock.Now())}, w.load(t)); diff != "" {
		t.Errorf("loaded something else:\n%s", diff)
	}
}

func TestAConfigMapIsBounded(t *testing.T) {
	s, err := newSeals(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	content, changes := shard{}, map[string]proof.Record{}
	for n := range 60 {
		random := make([]byte, 50<<10)
		if _, err := rand.Read(random); err != nil {
			t.Fatal(err)
		}
		changes[fmt.Sprintf("%03d", n)] = record(string(random), start().Add(time.Duration(n)*time.Second))
	}
	content.merge(changes, s, start())
	data, err := content.encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > maxCompressed {
		t.Errorf("it takes %d bytes", len(data))
	}
	kept, broken := readShard(data, s)
	if len(kept) < 8 || broken > 0 || kept["059"] == nil || kept["000"] != nil {
		t.Errorf("%d are kept, %d are broken, the last one: %t, the first one: %t", len(kept), broken, kept["059"] != nil, kept["000"] != nil)
	}
}

func TestReplicasThatWriteAtTheSameTimeLoseNothing(t *testing.T) {
	var races atomic.Int32
	w := newWorld(t, interceptor.Funcs{Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
		if races.Add(1) <= 3 {
			return apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, object.GetName(), errors.New("it was changed"))
		}
		return c.Update(ctx, object, options...)
	}})
	w.save(t, map[string]proof.Record{"a": record("1", start())})
	w.save(t, map[string]proof.Record{"a": record("2", start().Add(1))})
	if got := w.find(t, "a"); got != "2" || races.Load() != 4 {
		t.Errorf("found %q after %d writes", got, races.Load())
	}

	second := New(w.Options)
	var group sync.WaitGroup
	for n, store := range []*Store{w.Store, second} {
		group.Go(func() {
			for i := range 20 {
				name := fmt.Sprintf("%d-%d", n, i)
				if err := store.Save(t.Context(), map[string]proof.Record{name: record(name, start())}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := len(w.load(t)); got != 41 {
		t.Errorf("%d records are left, want 41", got)
	}
}

func TestAnUnchangedRecordIsNotWritten(t *testing.T) {
	writes := 0
	w := newWorld(t, interceptor.Funcs{Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
		writes++
		return c.Update(ctx, object, options...)
	}})
	for range 3 {
		w.save(t, map[string]proof.Record{"a": record("1", start()), "gone": {At: start()}})
	}
	if writes != 0 {
		t.Errorf("%d updates", writes)
	}
}

func TestFailuresAreToldAndOthersAreRead(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		if key.Name == v1alpha1.VerdictConfigMap(3) {
			return errors.New("etcd is slow")
		}
		return c.Get(ctx, key, object, options...)
	}})
	name := "a"
	for shardOf(name) == 3 {
		name += "a"
	}
	w.save(t, map[string]proof.Record{name: record("1", start())})
	records, err := w.Load(t.Context())
	if len(records) != 1 || err == nil || !strings.Contains(err.Error(), `reading ConfigMap "rune-system/rune-verdicts-3": etcd is slow`) {
		t.Errorf("loaded %v, %v", records, err)
	}
	w.Keys = sealKey(nil)
	if _, err := w.Load(t.Context()); err == nil {
		t.Error("no error without a key")
	}
	w.Keys = sealKey("short")
	if err := w.Save(t.Context(), map[string]proof.Record{name: record("2", start())}); err == nil {
		t.Error("no error with a short key")
	}
}

func TestAConfigMapOfSomebodyElseKeepsItsData(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.VerdictConfigMap(shardOf("a"))}, Data: map[string]string{"note": "hello"}}
	if err := w.client.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	w.save(t, map[string]proof.Record{"a": record("1", start())})
	if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs); err != nil {
		t.Fatal(err)
	}
	if theirs.Data["note"] != "hello" || w.find(t, "a") != "1" {
		t.Errorf("the ConfigMap is %v", theirs)
	}
}

func FuzzReadShard(f *testing.F) {
	s, err := newSeals(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		f.Fatal(err)
	}
	content := shard{}
	content.merge(map[string]proof.Record{"a": record("1", start()), "b": record("22", start())}, s, start())
	plain := []byte(header)
	for _, e := range content {
		plain = append(appendUnsealed(plain, e.name, e.record), e.seal...)
	}
	f.Add(plain)
	f.Add([]byte(header))
	f.Fuzz(func(t *testing.T, plain []byte) {
		data, err := compress(plain)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := readShard(data, s)
		for name, e := range got {
			want := content[name]
			if want == nil || !bytes.Equal(want.record.Content, e.record.Content) || !want.record.Until.Equal(e.record.Until) {
				t.Errorf("believed %q: %+v", name, e.record)
			}
		}
	})
}
