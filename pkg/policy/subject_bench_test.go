package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// largePod is a Pod of three containers with managedFields, of about 7 KB.
func largePod(tb testing.TB) []byte {
	tb.Helper()
	pod := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{
		"name": "web", "labels": map[string]any{"app.kubernetes.io/name": "web", "team": "shop"},
		"managedFields": []any{map[string]any{"manager": "kubectl", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{
			"f:spec": strings.Repeat("f:", 1500),
		}}},
	}}
	var containers []any
	for i := range 3 {
		probe := func(path string) map[string]any {
			return map[string]any{"httpGet": map[string]any{"path": path, "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3}
		}
		containers = append(containers, map[string]any{
			"name": fmt.Sprint("c", i), "image": "registry.runeframeos.com/web@sha256:" + strings.Repeat("0a", 32),
			"readinessProbe": probe("/ready"), "livenessProbe": probe("/health"),
			"resources":              map[string]any{"requests": map[string]any{"cpu": "250m", "memory": "256Mi"}, "limits": map[string]any{"memory": "512Mi"}},
			"securityContext":        map[string]any{"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}}},
			"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
		})
	}
	pod["spec"] = map[string]any{"containers": containers, "securityContext": map[string]any{
		"runAsNonRoot": true, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
	}}
	raw, err := json.Marshal(pod)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func BenchmarkNewSubject(b *testing.B) {
	pod := largePod(b)
	b.SetBytes(int64(len(pod)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.NewSubject(schema.GroupKind{Kind: "Pod"}, pod); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	ruleset := fuzzedRules(b)
	subject, err := policy.NewSubject(schema.GroupKind{Kind: "Pod"}, largePod(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ruleset.Evaluate(policy.Input{Subject: subject})
	}
}
