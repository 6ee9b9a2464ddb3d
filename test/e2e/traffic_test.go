//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// traffic is a client in the cluster that sends steady requests to the Service web of a namespace.
type traffic struct {
	h         *harness
	namespace string // of the client
	name      string
}

// counts as test/apps/client serves them.
type counts struct {
	Requests int            `json:"requests"`
	Failed   int            `json:"failed"`
	Versions map[string]int `json:"versions"`
	Failures map[string]int `json:"failures"`
}

// startTraffic starts a client for web in a namespace and waits until it was answered.
func (h *harness) startTraffic(t *testing.T, target string) *traffic {
	t.Helper()
	namespace := h.namespace(t, "traffic-"+target)
	manifest := strings.ReplaceAll(demo(t, "client.yaml"), "http://web.shop-ENVIRONMENT.", "http://web."+target+".")
	manifest = strings.ReplaceAll(manifest, "namespace: traffic", "namespace: "+namespace)
	manifest = strings.ReplaceAll(manifest, "ENVIRONMENT", target)
	h.apply(t, "admin", namespace, manifest).want(t, 0)
	c := &traffic{h: h, namespace: namespace, name: "client-" + target}
	h.kubectl(t, "admin", "rollout", "status", "-n", namespace, "deployment/"+c.name, "--timeout=60s").want(t, 0)
	eventually(t, "the first answers", func() string {
		if now := c.counts(t); now.Requests-now.Failed < 5 {
			return "fewer than 5 answers"
		}
		return ""
	})
	return c
}

// counts returns what was counted since the client's start.
func (c *traffic) counts(t *testing.T) counts {
	t.Helper()
	out := c.h.kubectl(t, "admin", "get", "--raw",
		"/api/v1/namespaces/"+c.namespace+"/services/http:"+c.name+":8080/proxy/stats")
	var now counts
	if out.code != 0 {
		return now
	}
	if err := json.Unmarshal([]byte(out.stdout), &now); err != nil {
		t.Fatalf("decoding the client's counts: %v:\n%s", err, out)
	}
	return now
}

// during runs something under traffic and returns how many requests were sent meanwhile and how many failed.
func (c *traffic) during(t *testing.T, do func()) (sent, failed int) {
	t.Helper()
	before := c.counts(t)
	do()
	after := c.counts(t)
	sent, failed = after.Requests-before.Requests, after.Failed-before.Failed
	t.Logf("%d requests, %d failed: %v", sent, failed, after.Failures)
	if sent == 0 {
		t.Fatal("no request was sent: the test shows nothing")
	}
	return sent, failed
}
