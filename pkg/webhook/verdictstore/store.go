package verdictstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// shards is the number of ConfigMaps.
const shards = v1alpha1.VerdictShards

// dataKey of the records in a ConfigMap's binaryData.
const dataKey = "records"

// atOnce bounds how many ConfigMaps are read at the same time.
const atOnce = 4

// Keys holds the key of the seals.
type Keys interface {
	// SealKey returns the same at least 32 random bytes to all replicas of the webhook, for good.
	SealKey(ctx context.Context) ([]byte, error)
}

// Options of a Store; all but Labels are needed.
type Options struct {
	// Live reads ConfigMaps from the API server itself.
	Live   client.Reader
	Writer client.Writer
	// Namespace of the ConfigMaps.
	Namespace string
	// Labels of the ConfigMaps.
	Labels map[string]string
	Keys   Keys
	Clock  clock.PassiveClock
	Log    logr.Logger
}

// Store of sealed records. It is safe for concurrent use.
type Store struct{ Options }

// New returns a Store. It asks nothing yet.
func New(options Options) *Store { return &Store{options} }

// Load returns all records whose seal holds. Where some ConfigMaps cannot be read it returns the others' with an error.
func (s *Store) Load(ctx context.Context) (map[string]proof.Record, error) {
	key, err := s.seals(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var problems []error
	records := map[string]proof.Record{}
	var group errgroup.Group
	group.SetLimit(atOnce)
	for n := range shards {
		group.Go(func() error {
			_, content, err := s.read(ctx, n, key)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				problems = append(problems, err)
			}
			for name, e := range content {
				records[name] = e.record
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return records, errors.Join(problems...)
}

// Find returns one record if its seal holds.
func (s *Store) Find(ctx context.Context, name string) (record proof.Record, found bool, err error) {
	key, err := s.seals(ctx)
	if err != nil {
		return proof.Record{}, false, err
	}
	_, content, err := s.read(ctx, shardOf(name), key)
	if e, found := content[name]; found {
		return e.record, true, err
	}
	return proof.Record{}, false, err
}

// Save stores changed records and removes those without content. Of all others the ones that no longer count go.
func (s *Store) Save(ctx context.Context, changed map[string]proof.Record) error {
	key, err := s.seals(ctx)
	if err != nil {
		return err
	}
	byShard := map[int]map[string]proof.Record{}
	for name, record := range changed {
		n := shardOf(name)
		if byShard[n] == nil {
			byShard[n] = map[string]proof.Record{}
		}
		byShard[n][name] = record
	}
	var problems []error
	for n, changes := range byShard {
		if err := s.update(ctx, n, changes, key); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// backoff of replicas that write the same ConfigMap at the same time.
func backoff() wait.Backoff {
	return wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 6}
}

// update merges changes into one ConfigMap.
func (s *Store) update(ctx context.Context, n int, changes map[string]proof.Record, key seals) error {
	return retry.OnError(backoff(), isRace, func() error {
		object, content, err := s.read(ctx, n, key)
		if err != nil {
			return err
		}
		if !content.merge(changes, key, s.Clock.Now()) {
			return nil
		}
		data, err := content.encode()
		if err != nil {
			return err
		}
		if object.BinaryData == nil {
			object.BinaryData = map[string][]byte{}
		}
		object.BinaryData[dataKey] = data
		if object.ResourceVersion == "" {
			err = s.Writer.Create(ctx, object)
		} else {
			err = s.Writer.Update(ctx, object)
		}
		if err != nil {
			return fmt.Errorf("writing ConfigMap %q: %w", client.ObjectKeyFromObject(object), err)
		}
		return nil
	})
}

// isRace tells whether another replica was faster.
func isRace(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

// read returns a ConfigMap, which has no resource version where it does not exist, and its records.
func (s *Store) read(ctx context.Context, n int, key seals) (*corev1.ConfigMap, shard, error) {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace, Name: v1alpha1.VerdictConfigMap(n), Labels: maps.Clone(s.Labels),
	}}
	err := s.Live.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return object, shard{}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading ConfigMap %q: %w", client.ObjectKey{Namespace: s.Namespace, Name: v1alpha1.VerdictConfigMap(n)}, err)
	}
	content, broken := readShard(object.BinaryData[dataKey], key)
	if broken > 0 {
		s.Log.Info("left out stored verdicts that were not sealed by this webhook",
			"configmap", client.ObjectKeyFromObject(object).String(), "count", broken)
	}
	return object, content, nil
}

func shardOf(name string) int {
	hash := sha256.Sum256([]byte(name))
	return int(hash[0]) % shards
}

func (s *Store) seals(ctx context.Context) (seals, error) {
	key, err := s.Keys.SealKey(ctx)
	if err != nil {
		return seals{}, fmt.Errorf("reading the key of the seals: %w", err)
	}
	return newSeals(key)
}
