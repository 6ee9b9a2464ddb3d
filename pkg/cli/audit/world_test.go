package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/cli/env"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
)

// now is the time of all tests.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// apiServer serves lists as an API server does: in pages where a limit is asked for, by continue tokens that
// can expire, without apiVersion and kind in the items of built-in lists.
type apiServer struct {
	t      *testing.T
	lists  map[string][]json.RawMessage
	groups []metav1.APIGroup
	// forbidden are paths that the caller may not list.
	forbidden map[string]bool
	// expire counts, by path, how many requests with a continue token are answered by 410.
	expire map[string]int
	// asked are all requests, bodies what was applied, by path.
	mu     sync.Mutex
	asked  []string
	bodies map[string][]byte
}

func newServer(t *testing.T) *apiServer {
	t.Helper()
	return &apiServer{
		t: t, lists: map[string][]json.RawMessage{}, forbidden: map[string]bool{}, expire: map[string]int{}, bodies: map[string][]byte{},
	}
}

// add puts objects, as YAML documents, into the list at a path.
func (s *apiServer) add(path string, documents ...string) {
	s.t.Helper()
	for _, document := range documents {
		raw, err := yaml.YAMLToJSONStrict([]byte(document))
		if err != nil {
			s.t.Fatal(err)
		}
		s.lists[path] = append(s.lists[path], raw)
	}
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	w.Header().Set("Content-Type", "application/json")
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPatch && !s.forbidden[r.URL.Path]:
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		s.bodies[r.URL.Path] = body.Bytes()
		_, _ = w.Write(body.Bytes())
	case r.URL.Path == "/apis" || r.URL.Path == "/api":
		s.discover(w, r.URL.Path)
	case s.forbidden[r.URL.Path]:
		s.fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
	case query.Get("continue") != "" && s.expire[r.URL.Path] > 0:
		s.expire[r.URL.Path]--
		s.fail(w, http.StatusGone, metav1.StatusReasonExpired)
	default:
		s.list(w, s.lists[r.URL.Path], query.Get("limit"), query.Get("continue"))
	}
}

func (s *apiServer) discover(w http.ResponseWriter, path string) {
	var answer any = metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: s.groups}
	if path == "/api" {
		answer = metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *apiServer) fail(w http.ResponseWriter, code int32, reason metav1.StatusReason) {
	w.WriteHeader(int(code))
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: string(reason),
	})
}

// list answers as the kind that the one typed client of an audit reads; the others look at the items only.
func (s *apiServer) list(w http.ResponseWriter, items []json.RawMessage, limit, next string) {
	from, _ := strconv.Atoi(next)
	to := len(items)
	meta := map[string]any{}
	if most, err := strconv.Atoi(limit); err == nil && from+most < to {
		to = from + most
		meta["continue"] = strconv.Itoa(to)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "NamespaceList", "apiVersion": "v1", "metadata": meta, "items": append([]json.RawMessage{}, items[from:to]...)})
}

// serve starts the server and returns options that ask it, with an Environment from a file.
func (s *apiServer) serve(environment string) (o *Options, stdout, stderr *bytes.Buffer) {
	s.t.Helper()
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)
	kube, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
	return &Options{
		Source: env.Source{Config: configured(s.t, environment)}, Output: string(report.JSON), FailOn: "enforce", QPS: defaultQPS,
		Clock: clocktesting.NewFakePassiveClock(now()), kube: kube, IOStreams: streams,
	}, stdout, stderr
}

// configured is a directory that holds an Environment.
func configured(t testing.TB, environment string) string {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "environment.yaml"), []byte(environment), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory
}

// findings reads the JSON of a report into lines: object, pods, rule, field, exemption.
func findings(t *testing.T, stdout *bytes.Buffer) []string {
	t.Helper()
	var document report.Document
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	var lines []string
	for _, result := range document.Results {
		head := fmt.Sprintf("%s/%s %d", result.Object.Kind, result.Object.Name, result.Pods)
		if len(result.Violations)+len(result.Exempted) == 0 {
			lines = append(lines, head)
		}
		for _, v := range result.Violations {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", head, v.Rule, v.Field)))
		}
		for _, v := range result.Exempted {
			lines = append(lines, fmt.Sprintf("%s %s %s exempted by %s", head, v.Rule, v.Field, v.Exemption))
		}
	}
	return lines
}

const (
	pathNamespaces  = "/api/v1/namespaces"
	pathPods        = "/api/v1/namespaces/shop/pods"
	pathDeployments = "/apis/apps/v1/namespaces/shop/deployments"
	pathReplicaSets = "/apis/apps/v1/namespaces/shop/replicasets"
	pathExemptions  = "/apis/rune.runeframeos.com/v1alpha1/namespaces/shop/exemptions"
)

// shop asks for CPU requests and denies the tag latest.
const shop = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  namespaces: [shop]
  rules:
    images: {pin: Never, denyTags: [latest]}
    resources: {require: [requests.cpu]}
    approval: {}
`

// owned is metadata of an object with a controller.
func owned(name, kind, owner string) string {
	api := "apps/v1"
	if kind == "Job" {
		api = "batch/v1"
	}
	return fmt.Sprintf(`metadata: {name: %s, namespace: shop, uid: uid-%s, ownerReferences: [{apiVersion: %s, kind: %s, name: %s, uid: uid-%s, controller: true}]}`,
		name, name, api, kind, owner, owner)
}

func meta(name string) string {
	return fmt.Sprintf(`metadata: {name: %s, namespace: shop, uid: uid-%s}`, name, name)
}

// running is the spec of a pod with one container; cpu is its request, "" for none.
func running(image, cpu string) string {
	resources := "{}"
	if cpu != "" {
		resources = "{requests: {cpu: " + cpu + "}}"
	}
	return fmt.Sprintf(`{containers: [{name: app, image: "%s", resources: %s}]}`, image, resources)
}

func template(spec string) string { return "spec: {template: {spec: " + spec + "}}" }
