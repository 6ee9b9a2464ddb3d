package templatehash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// prefix is the version of the canonical form. A change of the form changes it, so that hashes of
// two forms never compare equal by chance.
const prefix = "v1:"

// Metadata of a template that a hash ignores: it changes no program that runs.
const (
	annotationRestartedAt = "kubectl.kubernetes.io/restartedAt"
	labelPodTemplateHash  = "pod-template-hash"
)

// Of returns the hash of a typed template. It equals OfJSON of what encoding/json makes of it.
func Of(template *corev1.PodTemplateSpec) (string, error) {
	raw, err := json.Marshal(template)
	if err != nil {
		return "", fmt.Errorf("encoding pod template: %w", err)
	}
	return OfJSON(raw)
}

// OfJSON returns the hash of a template as it stands in a request or in storage, as "v1:" and 64
// hexadecimal digits. Fields that this program's Go types do not know are part of it, so that an
// approval never covers a field that nobody could see.
func OfJSON(raw []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var template map[string]any
	if err := decoder.Decode(&template); err != nil {
		return "", fmt.Errorf("decoding pod template: %w", err)
	}
	if template == nil {
		return "", fmt.Errorf("decoding pod template: it is null")
	}
	stripMetadata(template)
	// encoding/json sorts the keys of maps: that is the canonical order.
	canonical, err := json.Marshal(withoutNulls(template))
	if err != nil {
		return "", fmt.Errorf("encoding pod template: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return prefix + hex.EncodeToString(sum[:]), nil
}

// stripMetadata removes what the hash ignores, and maps that became empty by it.
func stripMetadata(template map[string]any) {
	metadata, ok := template["metadata"].(map[string]any)
	if !ok {
		return
	}
	removeKey(metadata, "annotations", annotationRestartedAt)
	removeKey(metadata, "labels", labelPodTemplateHash)
	if metadata["creationTimestamp"] == nil {
		delete(metadata, "creationTimestamp")
	}
	if len(metadata) == 0 {
		delete(template, "metadata")
	}
}

func removeKey(metadata map[string]any, field, key string) {
	values, ok := metadata[field].(map[string]any)
	if !ok {
		return
	}
	delete(values, key)
	if len(values) == 0 {
		delete(metadata, field)
	}
}

// withoutNulls drops null members: in a Kubernetes object null and absent are the same. Empty maps
// and lists stay: an empty selector selects everything, an absent one nothing.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if member == nil {
				delete(v, key)
				continue
			}
			v[key] = withoutNulls(member)
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return value
}
