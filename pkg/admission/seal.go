package admission

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// sealPrefix is the version of the encodings below.
const sealPrefix = "v1:"

// minSealKey is the shortest key that seals, in bytes: that of SHA-256's output (RFC 2104, section 3).
const minSealKey = 32

// absentHash stands in a seal for a template that there is not.
const absentHash = "-"

// defaultDeadline is the CRD's default of a release's deadline.
const defaultDeadline = 30 * time.Minute

// seal returns the keyed hash over a list of texts. The list is encoded as JSON, so that no text can
// run over into its neighbor.
func seal(key []byte, values []string) (string, error) {
	if len(key) < minSealKey {
		return "", fmt.Errorf("sealing: the key has %d bytes, need %d", len(key), minSealKey)
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(encoded)
	return sealPrefix + hex.EncodeToString(mac.Sum(nil)), nil
}

// releaseSeal binds who requested what for which workload, template and environment.
func releaseSeal(key []byte, r *releaseRecord) (string, error) {
	from, to, err := r.hashes()
	if err != nil {
		return "", err
	}
	return seal(key, []string{
		v1alpha1.KindRelease, r.Namespace, r.Name, r.Spec.Environment,
		r.Spec.Workload.Kind, r.Spec.Workload.Name, string(r.Spec.Workload.UID),
		string(r.Spec.Action), string(r.Spec.Strategy), from, to, deadlineOf(&r.Release).String(),
		r.Spec.RequestedBy.Username, r.Spec.RequestedBy.UID,
	})
}

// approvalSeal binds who approved which template of which Release, and when.
func approvalSeal(key []byte, a *v1alpha1.Approval) (string, error) {
	at := absentHash
	if a.Spec.ApprovedAt != nil {
		at = a.Spec.ApprovedAt.UTC().Format(time.RFC3339)
	}
	return seal(key, []string{
		v1alpha1.KindApproval, a.Namespace, a.Name, a.Spec.Release.Name, string(a.Spec.Release.UID),
		a.Spec.Approver.Username, a.Spec.Approver.UID, at, a.Spec.TemplateHash,
	})
}

// sealed compares a seal in constant time with what it should be.
func sealed(have, want string) bool {
	return want != "" && hmac.Equal([]byte(have), []byte(want))
}

func deadlineOf(r *v1alpha1.Release) time.Duration {
	if r.Spec.Delivery.Deadline == nil {
		return defaultDeadline
	}
	return r.Spec.Delivery.Deadline.Duration
}
