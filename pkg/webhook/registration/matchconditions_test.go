package registration

import (
	"encoding/json"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	celplugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celenvironment "k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/utils/ptr"
)

// matcher compiles conditions as the API server of a version does when they are written.
func matcher(t testing.TB, minor uint, conditions []admissionregistrationv1.MatchCondition) matchconditions.Matcher {
	t.Helper()
	var expressions []celplugin.ExpressionAccessor
	for _, condition := range conditions {
		expressions = append(expressions, (*matchconditions.MatchCondition)(&condition))
	}
	// A server lets only that be written which its predecessor can read.
	base := celenvironment.MustBaseEnvSet(version.MajorMinor(1, minor-1))
	for _, expression := range expressions {
		result := celplugin.NewCompiler(base).CompileCELExpression(expression, celplugin.OptionalVariableDeclarations{HasAuthorizer: true}, celenvironment.NewExpressions)
		if result.Error != nil {
			t.Fatalf("Kubernetes 1.%d: %v", minor, result.Error)
		}
	}
	condition := celplugin.NewConditionCompiler(base).CompileCondition(expressions, celplugin.OptionalVariableDeclarations{HasAuthorizer: true}, celenvironment.NewExpressions)
	return matchconditions.NewMatcher(condition, ptr.To(admissionregistrationv1.Fail), "webhook", "validating", "test")
}

// review is one request as an API server would match it.
type review struct {
	group, resource, subresource string
	operation                    admission.Operation
	object, old                  string
}

func (r review) asked(t testing.TB, m matchconditions.Matcher) bool {
	t.Helper()
	read := func(text string) runtime.Object {
		if text == "" {
			return nil
		}
		object := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(text), &object.Object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	kind := schema.GroupVersionKind{Version: "v1", Kind: "X"}
	resource := schema.GroupVersionResource{Group: r.group, Version: "v1", Resource: r.resource}
	object, old := read(r.object), read(r.old)
	attributes := admission.NewAttributesRecord(object, old, kind, "shop", "web", resource, r.subresource, r.operation, nil, false, nil)
	result := m.Match(t.Context(), &admission.VersionedAttributes{
		Attributes: attributes, VersionedObject: admission.NewLazyObject(object), VersionedOldObject: admission.NewLazyObject(old), VersionedKind: kind,
	}, nil, nil)
	if result.Error != nil {
		t.Errorf("%+v: %v", r, result.Error)
	}
	return result.Matches
}

// TestOnlyWhatIsJudgedReachesTheWebhook is the truth table, for the oldest and the newest server.
func TestOnlyWhatIsJudgedReachesTheWebhook(t *testing.T) {
	const (
		workload  = `{"metadata":{"name":"web"},"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"app","image":"x:v1"}]}}}}`
		scaled    = `{"metadata":{"name":"web","annotations":{"a":"b"}},"spec":{"replicas":5,"paused":true,"template":{"spec":{"containers":[{"name":"app","image":"x:v1"}]}}}}`
		edited    = `{"metadata":{"name":"web"},"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"app","image":"x:v2"}]}}}}`
		labelled  = `{"metadata":{"name":"web"},"spec":{"replicas":2,"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"app","image":"x:v1"}]}}}}`
		bare      = `{"metadata":{"name":"web"}}`
		pod       = `{"metadata":{"name":"web","finalizers":["a/b"]},"spec":{"containers":[{"name":"app","image":"x:v1"}]}}`
		released  = `{"metadata":{"name":"web","ownerReferences":[{"kind":"ReplicaSet"}]},"spec":{"containers":[{"name":"app","image":"x:v1"}]},"status":{"phase":"Running"}}`
		changed   = `{"metadata":{"name":"web"},"spec":{"containers":[{"name":"app","image":"x:v2"}]}}`
		debugged  = `{"metadata":{"name":"web"},"spec":{"containers":[{"name":"app","image":"x:v1"}],"ephemeralContainers":[{"name":"d","image":"y"}]}}`
		cron      = `{"spec":{"suspend":false,"jobTemplate":{"spec":{"parallelism":1,"template":{"spec":{"containers":[{"image":"x:v1"}]}}}}}}`
		suspended = `{"spec":{"suspend":true,"jobTemplate":{"spec":{"parallelism":3,"template":{"spec":{"containers":[{"image":"x:v1"}]}}}}}}`
		recron    = `{"spec":{"suspend":false,"jobTemplate":{"spec":{"parallelism":1,"template":{"spec":{"containers":[{"image":"x:v2"}]}}}}}}`
		revision  = `{"metadata":{"name":"r"},"revision":1,"data":{"spec":{"template":{"x":1}}}}`
		renumber  = `{"metadata":{"name":"r"},"revision":2,"data":{"spec":{"template":{"x":1}}}}`
		rewritten = `{"metadata":{"name":"r"},"revision":1,"data":{"spec":{"template":{"x":2}}}}`
	)
	type row struct {
		resources   []string
		subresource string
		old, object string
		want        bool
	}
	workloads := []string{"apps/deployments", "apps/replicasets", "apps/statefulsets", "apps/daemonsets", "batch/jobs", "/replicationcontrollers"}
	specs := []string{"/pods", "rune.runeframeos.com/releases", "rune.runeframeos.com/approvals", "rune.runeframeos.com/exemptions"}
	rows := map[string]row{
		"scaling, pausing and annotating":       {workloads, "", workload, scaled, false},
		"another image":                         {workloads, "", workload, edited, true},
		"a label of the template":               {workloads, "", workload, labelled, true},
		"a template that appears":               {workloads, "", bare, workload, true},
		"a template that goes":                  {workloads, "", workload, bare, true},
		"finalizers, owners and status":         {specs, "", pod, released, false},
		"another spec":                          {specs, "", pod, changed, true},
		"a spec that goes":                      {specs, "", pod, bare, true},
		"an ephemeral container":                {[]string{"/pods"}, "ephemeralcontainers", pod, debugged, true},
		"a resize that changes nothing":         {[]string{"/pods"}, "resize", pod, released, false},
		"suspending a CronJob":                  {[]string{"batch/cronjobs"}, "", cron, suspended, false},
		"another image of a CronJob":            {[]string{"batch/cronjobs"}, "", cron, recron, true},
		"the number of a revision":              {[]string{"apps/controllerrevisions"}, "", revision, renumber, false},
		"the data of a revision":                {[]string{"apps/controllerrevisions"}, "", revision, rewritten, true},
		"a resource that nobody thought of":     {[]string{"apps/widgets", "other.io/deployments", "/jobs"}, "", workload, scaled, true},
		"objects without anything to look into": {workloads, "", `{}`, `{}`, false},
	}
	for _, minor := range []uint{30, 37} {
		m := matcher(t, minor, matchConditions(false, false))
		for name, row := range rows {
			for _, full := range row.resources {
				group, resource, _ := strings.Cut(full, "/")
				got := review{group, resource, row.subresource, admission.Update, row.object, row.old}.asked(t, m)
				if got != row.want {
					t.Errorf("1.%d: %s: %s: asked=%v, want %v", minor, full, name, got, row.want)
				}
				if !(review{group, resource, "", admission.Create, row.object, ""}).asked(t, m) {
					t.Errorf("1.%d: %s: the creation is not asked about", minor, full)
				}
			}
		}
	}
}

// TestEveryResourceOfTheRulesHasItsCondition would notice a resource whose updates are all asked about.
func TestEveryResourceOfTheRulesHasItsCondition(t *testing.T) {
	m := matcher(t, 37, matchConditions(false, false))
	for _, rule := range rules() {
		for _, resource := range rule.Resources {
			if (review{rule.APIGroups[0], resource, "", admission.Update, `{"metadata":{"a":1}}`, `{"metadata":{"a":2}}`}).asked(t, m) &&
				resource != "pods/ephemeralcontainers" && resource != "pods/resize" {
				t.Errorf("%s: an update of the metadata is asked about", resource)
			}
		}
	}
}

func TestWhoseRevisionItIsReachesTheWebhookWhereRevisionsAreBelieved(t *testing.T) {
	for _, minor := range []uint{30, 37} {
		for _, custom := range []bool{false, true} {
			for _, believed := range []bool{false, true} {
				m := matcher(t, minor, matchConditions(custom, believed))
				for object, want := range map[string]bool{
					`{"metadata":{"labels":{"app":"web"}}}`:                     believed,
					`{"metadata":{"ownerReferences":[{"kind":"Deployment"}]}}`:  believed,
					`{"metadata":{"annotations":{"a":"b"},"finalizers":["x"]}}`: false,
				} {
					for _, resource := range []string{"replicasets", "controllerrevisions", "deployments"} {
						got := review{"apps", resource, "", admission.Update, object, `{"metadata":{}}`}.asked(t, m)
						if got != (want && resource != "deployments") {
							t.Errorf("1.%d: %s %s: asked=%v", minor, resource, object, got)
						}
					}
				}
			}
		}
	}
}

func TestBothEntriesHaveTheConditions(t *testing.T) {
	w := newWorld(t, environment("staging", "shop"))
	w.settled(t)
	if n, m := len(w.mutating(t).Webhooks[0].MatchConditions), len(w.validating(t).Webhooks[0].MatchConditions); n != 1 || m != 1 {
		t.Errorf("%d and %d conditions", n, m)
	}
}
