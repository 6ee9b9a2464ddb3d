//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/test/corpus"
)

// admission asks the API server to create every object, without storing any. What denies stands in the causes of
// the denial, what warns in warnings, and what is only recorded in the API server's audit log.
func (h *harness) admission(t *testing.T, specimens []specimen) found {
	t.Helper()
	client := h.dynamic(t, "admin")
	before := h.auditLogSize(t)
	verdicts := found{}
	var lock sync.Mutex
	each(specimens, func(s specimen) {
		object, _ := s.object.In(s.arriving())
		a := create(t, client, s.object.Kind.GVR(), object, dryRun())
		var got []corpus.Expectation
		for _, cause := range a.causes() {
			got = append(got, corpus.Expectation{Rule: string(cause.Type), Field: cause.Field, Enforcement: v1alpha1.EnforcementEnforce})
		}
		if a.err != nil && len(got) == 0 {
			t.Errorf("%s: %v", s, a.err)
		}
		for _, text := range a.warnings {
			line, ours := strings.CutPrefix(text, `environment "`+corpus.Prefix+s.suite.Name+`": `)
			if !ours {
				continue // The API server's own.
			}
			if len(text) > 256 {
				t.Errorf("%s: a warning of %d bytes, want at most 256: %s", s, len(text), text)
			}
			got = append(got, readViolation(t, line, v1alpha1.EnforcementWarn))
		}
		lock.Lock()
		defer lock.Unlock()
		verdicts[s.String()] = got
	})
	for name, lines := range h.recorded(t, specimens, before) {
		for _, line := range lines {
			recorded := readViolation(t, line, v1alpha1.EnforcementAudit)
			told := slices.ContainsFunc(verdicts[name], func(e corpus.Expectation) bool {
				return e.Rule == recorded.Rule && e.Field == recorded.Field
			})
			if !told {
				verdicts[name] = append(verdicts[name], recorded)
			}
		}
	}
	return verdicts
}

// readViolation reads "FIELD: MESSAGE  [RULE]", or without a field where the violation is about the whole object.
func readViolation(t *testing.T, line string, enforcement v1alpha1.Enforcement) corpus.Expectation {
	t.Helper()
	field, _, found := strings.Cut(line, ": ")
	if !found || strings.Contains(field, " ") {
		field = ""
	}
	open := strings.LastIndex(line, "[")
	if open < 0 || !strings.HasSuffix(line, "]") {
		t.Errorf("cannot read a rule in %q", line)
		return corpus.Expectation{}
	}
	return corpus.Expectation{Rule: line[open+1 : len(line)-1], Field: field, Enforcement: enforcement}
}

// auditEvent is what the tests read of an event of the API server's audit log.
type auditEvent struct {
	RequestURI string `json:"requestURI"`
	ObjectRef  struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"objectRef"`
	Annotations map[string]string `json:"annotations"`
}

// auditLogFile is where the embedded cluster's API server keeps its audit log.
func (h *harness) auditLogFile() string { return filepath.Join(h.cluster.Logs, "audit.log") }

// auditLogSize is the end of the audit log now.
func (h *harness) auditLogSize(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(h.auditLogFile())
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// auditLog returns the events behind a place in the log of dry runs in namespaces that begin with a prefix.
func (h *harness) auditLog(t *testing.T, prefix string, since int64) []auditEvent {
	t.Helper()
	file, err := os.Open(h.auditLogFile())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(since, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var events []auditEvent
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event auditEvent
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("reading the audit log: %v", err)
		}
		if strings.HasPrefix(event.ObjectRef.Namespace, prefix) && strings.Contains(event.RequestURI, "dryRun=All") {
			events = append(events, event)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("reading the audit log: %v", err)
	}
	return events
}

// recorded returns the violations in the audit annotations of the objects that asked to be created.
func (h *harness) recorded(t *testing.T, specimens []specimen, since int64) map[string][]string {
	t.Helper()
	names := map[string]string{}
	for _, s := range specimens {
		names[s.arriving()+"/"+s.object.Name] = s.String()
	}
	lines := map[string][]string{}
	for _, event := range h.auditLog(t, corpus.Prefix, since) {
		name, known := names[event.ObjectRef.Namespace+"/"+event.ObjectRef.Name]
		if !known {
			continue
		}
		for key, value := range event.Annotations {
			if !strings.HasSuffix(key, "/violations") {
				continue
			}
			// The first line is a heading.
			for _, line := range strings.Split(value, "\n")[1:] {
				lines[name] = append(lines[name], strings.TrimSpace(line))
			}
		}
	}
	return lines
}

// judgement is what `check` and `audit` print about an object in JSON.
type judgement struct {
	Results []struct {
		Object struct {
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"object"`
		Violations []corpus.Expectation `json:"violations"`
	} `json:"results"`
}

// check asks `kubectl rune check` about the objects as files, offline, with the Environments as files too.
func (h *harness) check(t *testing.T, specimens []specimen, suites []corpus.Suite) found {
	t.Helper()
	objects, config := t.TempDir(), t.TempDir()
	for _, suite := range suites {
		if err := suite.Write(objects, corpus.Prefix+suite.Name); err != nil {
			t.Fatal(err)
		}
		if err := suite.WriteEnvironment(config, corpus.Prefix+suite.Name); err != nil {
			t.Fatal(err)
		}
	}
	got := h.rune(t, "admin", "check", "-f", objects, "--config", config, "-o", "json").want(t, 4)
	return readJudgement(t, got.stdout, specimens, specimen.arriving)
}

// audit asks `kubectl rune audit` about the objects as they live in the cluster.
func (h *harness) audit(t *testing.T, specimens []specimen) found {
	t.Helper()
	got := h.rune(t, "admin", "audit", "-A", "--qps", "500", "-o", "json").want(t, 4)
	return readJudgement(t, got.stdout, specimens, specimen.living)
}

func readJudgement(t *testing.T, text string, specimens []specimen, namespace func(specimen) string) found {
	t.Helper()
	var read judgement
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatalf("reading the judgement: %v\n%s", err, text)
	}
	names := map[string]string{}
	for _, s := range specimens {
		names[namespace(s)+"/"+s.object.Kind.Kind+"/"+s.object.Name] = s.String()
	}
	verdicts := found{}
	for _, result := range read.Results {
		if name, known := names[result.Object.Namespace+"/"+result.Object.Kind+"/"+result.Object.Name]; known {
			verdicts[name] = append(verdicts[name], result.Violations...)
		}
	}
	return verdicts
}
