package component

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

// AuditLog is the API server's audit log: one JSON event on each line for each change that was asked for, with
// the annotations that admission webhooks give.
func AuditLog(paths layout.Paths) string { return paths.Log("audit") }

func auditPolicyFile(paths layout.Paths) string {
	return filepath.Join(paths.Config(), "audit-policy.json")
}

// auditFlags make the API server keep the log, at most 128 MiB of it.
func auditFlags(paths layout.Paths) []string {
	return []string{
		"--audit-policy-file=" + auditPolicyFile(paths), "--audit-log-path=" + AuditLog(paths),
		"--audit-log-maxsize=64", "--audit-log-maxbackup=1",
	}
}

// WriteAuditPolicy writes which requests the API server records: changes, but not those that components make
// all the time.
func WriteAuditPolicy(paths layout.Paths) error {
	policy, err := json.Marshal(map[string]any{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
		"omitStages": []string{"RequestReceived"},
		"rules": []map[string]any{
			{"level": "None", "verbs": []string{"get", "list", "watch"}},
			{"level": "None", "resources": []map[string]any{
				{"group": "", "resources": []string{"events", "nodes/status", "pods/status"}},
				{"group": "events.k8s.io", "resources": []string{"events"}},
				{"group": "coordination.k8s.io", "resources": []string{"leases"}},
			}},
			{"level": "Metadata"},
		},
	})
	if err != nil {
		return fmt.Errorf("encoding the audit policy: %w", err)
	}
	if err := os.WriteFile(auditPolicyFile(paths), policy, 0o644); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}
	return nil
}
