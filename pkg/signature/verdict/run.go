package verdict

import (
	"context"
	"fmt"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// Load takes over what the Store holds. What cannot be read of it is left out.
func (b *Book) Load(ctx context.Context) error {
	if b.store == nil {
		return nil
	}
	records, err := b.store.Load(ctx)
	unread, now := 0, b.clock.Now()
	for text, record := range records {
		key, err := ParseKey(text)
		if err == nil {
			var fact *Fact
			if fact, err = readRecord(key, record, now); err == nil {
				b.learn(key, fact)
				continue
			}
		}
		if record.Until.After(now) {
			unread++
			b.log.V(1).Info("left out a stored verdict", "cause", err.Error())
		}
	}
	b.log.Info("read stored verdicts", "count", len(records), "unreadable", unread)
	if err != nil {
		return fmt.Errorf("reading stored verdicts: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaded = true
	return nil
}

// Run writes changes to the Store until ctx ends, and once more then. It reads the Store where that has not
// succeeded yet.
func (b *Book) Run(ctx context.Context) error {
	save := b.clock.NewTicker(saveInterval)
	defer save.Stop()
	sweep := b.clock.NewTicker(sweepInterval)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
			defer cancel()
			if err := b.Save(last); err != nil {
				b.log.Error(err, "verdicts of the last seconds are not stored")
			}
			return nil
		case <-save.C():
			b.catchUp(ctx)
		case <-sweep.C():
			b.sweep()
		}
	}
}

func (b *Book) catchUp(ctx context.Context) {
	b.mu.Lock()
	loaded := b.loaded
	b.mu.Unlock()
	if !loaded {
		if err := b.Load(ctx); err != nil {
			b.log.Error(err, "trying again")
		}
	}
	if err := b.Save(ctx); err != nil {
		b.log.Error(err, "trying again")
	}
}

// Save writes all changes to the Store. Where that fails they are kept for the next time.
func (b *Book) Save(ctx context.Context) error {
	changed := b.takeChanges()
	if len(changed) == 0 {
		return nil
	}
	records := make(map[string]proof.Record, len(changed))
	for key, change := range changed {
		if change.fact == nil {
			records[key.String()] = proof.Record{At: change.dropped}
			continue
		}
		record, err := change.fact.record()
		if err != nil {
			b.log.V(1).Info("a verdict stays in memory only", "key", key.String(), "cause", err.Error())
			continue
		}
		records[key.String()] = record
	}
	if err := b.store.Save(ctx, records); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		for key, change := range changed {
			if _, again := b.changed[key]; !again {
				b.change(key, change.dropped)
			}
		}
		return fmt.Errorf("storing %d verdicts: %w", len(records), err)
	}
	return nil
}

// change is a fact to be stored, or when it was dropped.
type change struct {
	fact    *Fact
	dropped time.Time
}

// takeChanges leaves no changes. A fact that the memory had no room for is forgotten.
func (b *Book) takeChanges() map[Key]change {
	b.mu.Lock()
	defer b.mu.Unlock()
	changes := make(map[Key]change, len(b.changed))
	for key, dropped := range b.changed {
		element, known := b.facts.elements[key]
		switch {
		case !dropped.IsZero():
			changes[key] = change{dropped: dropped}
		case known:
			changes[key] = change{fact: element.Value.(*entry).fact}
		}
	}
	clear(b.changed)
	return changes
}
