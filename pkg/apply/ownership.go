package apply

import (
	"bytes"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// GiveBack returns the managed fields that an object has once Rune owns none of it any more: the
// owners saved before the release have their fields again, owners of subresources and whoever else
// wrote meanwhile keep what they have now. Saved is the former managed fields as JSON.
//
// A field of the new version that nobody owned before is then owned by nobody, as if it had been there
// before field ownership was tracked; the next apply by the user takes it.
func GiveBack(live []metav1.ManagedFieldsEntry, saved []byte) ([]metav1.ManagedFieldsEntry, error) {
	var former []metav1.ManagedFieldsEntry
	if err := json.Unmarshal(saved, &former); err != nil {
		return nil, fmt.Errorf("decoding the saved managed fields: %w", err)
	}
	result := make([]metav1.ManagedFieldsEntry, 0, len(former)+len(live))
	used := map[ownerKey]bool{}
	for _, entry := range former {
		if entry.Subresource != "" {
			continue
		}
		key := keyOf(entry)
		used[key] = true
		for _, now := range live {
			if keyOf(now) != key || now.Manager == FieldManager {
				continue
			}
			merged, err := union(entry, now)
			if err != nil {
				return nil, err
			}
			entry = merged
		}
		result = append(result, entry)
	}
	for _, now := range live {
		if !used[keyOf(now)] && (now.Manager != FieldManager || now.Subresource != "") {
			result = append(result, now)
		}
	}
	return result, nil
}

// ownerKey is what tells two entries of managed fields apart.
type ownerKey struct {
	manager, version, subresource string
	operation                     metav1.ManagedFieldsOperationType
}

func keyOf(e metav1.ManagedFieldsEntry) ownerKey {
	return ownerKey{manager: e.Manager, version: e.APIVersion, subresource: e.Subresource, operation: e.Operation}
}

func union(former, now metav1.ManagedFieldsEntry) (metav1.ManagedFieldsEntry, error) {
	a, err := fields(former)
	if err != nil {
		return former, err
	}
	b, err := fields(now)
	if err != nil {
		return former, err
	}
	if b.Difference(a).Empty() {
		return former, nil
	}
	raw, err := a.Union(b).ToJSON()
	if err != nil {
		return former, fmt.Errorf("encoding the fields of manager %q: %w", former.Manager, err)
	}
	merged := now
	merged.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return merged, nil
}

func fields(e metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if e.FieldsV1 == nil {
		return set, nil
	}
	if err := set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
		return nil, fmt.Errorf("decoding the fields of manager %q: %w", e.Manager, err)
	}
	return set, nil
}
