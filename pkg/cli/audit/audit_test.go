package audit

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

func TestPodsAreRolledUpToTheirWorkload(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add(pathDeployments, meta("web")+"\n"+template(running("web:latest", "1")))
	s.add(pathReplicaSets,
		owned("web-old", "Deployment", "web")+"\n"+template(running("web:v1", "")),
		owned("web-new", "Deployment", "web")+"\n"+template(running("web:latest", "1")),
		meta("alone")+"\n"+template(running("alone:v1", "1")))
	pod := func(name, owner, spec string) string {
		return owned(name, "ReplicaSet", owner) + "\nspec: " + spec + "\nstatus: {phase: Running}"
	}
	s.add(pathPods,
		pod("web-new-a", "web-new", running("web:latest", "1")),
		pod("web-new-b", "web-new", running("web:latest", "1")),
		// Mid-rollout: pods of the former template are judged by what they are.
		pod("web-old-a", "web-old", running("web:v1", "")),
		pod("web-old-b", "web-old", running("web:v1", "")),
		pod("alone-a", "alone", running("alone:v1", "1")),
		meta("bare")+"\nspec: "+running("bare:v1", ""),
		meta("ended")+"\nspec: "+running("ended:v1", "")+"\nstatus: {phase: Succeeded}",
		`metadata: {name: static, namespace: shop, uid: s, annotations: {kubernetes.io/config.mirror: x}}
spec: `+running("static:v1", ""),
		`metadata: {name: op-0, namespace: shop, uid: op-0, ownerReferences: [{apiVersion: example.com/v1, kind: Database, name: op, uid: uid-op, controller: true}]}
spec: `+running("op:v1", ""))
	o, stdout, stderr := s.serve(shop)
	err := o.Run(t.Context())
	if got := exit.CodeOf(err); got != exit.Denied {
		t.Errorf("exit code %d (%v), want %d", got, err, exit.Denied)
	}
	want := []string{
		"Database/op 1 resources spec.containers[0].resources.requests.cpu",
		"Deployment/web 2 tags spec.template.spec.containers[0].image",
		"Deployment/web 2 resources spec.containers[0].resources.requests.cpu",
		"Pod/bare 1 resources spec.containers[0].resources.requests.cpu",
		"Pod/static 1 resources spec.containers[0].resources.requests.cpu",
		"ReplicaSet/alone 1",
	}
	if diff := cmp.Diff(want, findings(t, stdout)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(stderr.String(), "judged at admission only: approval") {
		t.Errorf("the deferred rule is not named: %s", stderr)
	}
}

func TestReferencesToOwnersThatMakeNoSuchObjectsHideNothing(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add(pathDeployments,
		meta("good")+"\n"+template(running("good:v1", "1")),
		owned("forged", "Deployment", "good")+"\n"+template(running("forged:v1", "")),
		owned("itself", "Deployment", "itself")+"\n"+template(running("itself:v1", "")))
	s.add(pathReplicaSets, owned("set", "ReplicaSet", "set")+"\n"+template(running("set:v1", "")))
	s.add(pathPods)
	o, stdout, _ := s.serve(shop)
	if got := exit.CodeOf(o.Run(t.Context())); got != exit.Denied {
		t.Errorf("exit code %d, want %d", got, exit.Denied)
	}
	var refused []string
	for _, finding := range findings(t, stdout) {
		if strings.Contains(finding, "resources") {
			refused = append(refused, strings.Fields(finding)[0])
		}
	}
	if diff := cmp.Diff([]string{"Deployment/forged", "Deployment/itself", "ReplicaSet/set"}, refused); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestAnExpiredContinueTokenRestartsTheList(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add(pathDeployments, meta("web")+"\n"+template(running("web:v1", "1")))
	for i := range 3*pageSize + 7 {
		name := "web-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		s.add(pathPods, owned(name, "Deployment", "web")+"\nspec: "+running("web:v1", "1"))
	}
	s.expire[pathPods] = 2
	o, stdout, _ := s.serve(shop)
	if err := o.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Deployment/web 1507"}, findings(t, stdout)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	s.expire[pathPods] = maxRestarts + 1
	o, _, _ = s.serve(shop)
	if err := o.Run(t.Context()); exit.CodeOf(err) != exit.Failed || !strings.Contains(err.Error(), "listing pods in namespace") {
		t.Errorf("a list that never ends: %v", err)
	}
}

func TestWhatMayNotBeReadIsToldAndTheRestGoesOn(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.forbidden["/apis/batch/v1/namespaces/shop/jobs"] = true
	s.forbidden["/apis/policy/v1/namespaces/shop/poddisruptionbudgets"] = true
	s.add(pathDeployments, meta("web")+"\n"+template(running("web:v1", "")))
	o, stdout, _ := s.serve(strings.Replace(shop, "approval: {}", "availability: {podDisruptionBudget: Required}", 1))
	err := o.Run(t.Context())
	if exit.CodeOf(err) != exit.Failed {
		t.Fatalf("exit code %d (%v)", exit.CodeOf(err), err)
	}
	for _, part := range []string{`you may not list jobs.batch in namespace "shop"`, `poddisruptionbudgets.policy in namespace "shop"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told: %v", part, err)
		}
	}
	// No finding about a budget: whether there is one could not be read.
	want := []string{"Deployment/web 0 resources spec.template.spec.containers[0].resources.requests.cpu"}
	if diff := cmp.Diff(want, findings(t, stdout)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}

func TestExemptionsLiftForTheWorkloadAndItsPods(t *testing.T) {
	exemption := func(name, spec string) string {
		return "metadata: {name: " + name + ", namespace: shop}\nspec: " + spec
	}
	tests := map[string]struct {
		exemption string
		lifted    bool
	}{
		"sealed and in time":  {`{rules: [resources], workload: {kind: Deployment, name: web}, reason: r, expiresAt: "2026-03-02T00:00:00Z", environment: production, seal: s}`, true},
		"without a seal":      {`{rules: [resources], workload: {kind: Deployment, name: web}, reason: r, expiresAt: "2026-03-02T00:00:00Z", environment: production}`, false},
		"expired":             {`{rules: [resources], workload: {kind: Deployment, name: web}, reason: r, expiresAt: "2026-03-01T00:00:00Z", environment: production, seal: s}`, false},
		"another workload":    {`{rules: [resources], workload: {kind: Deployment, name: api}, reason: r, expiresAt: "2026-03-02T00:00:00Z", environment: production, seal: s}`, false},
		"another kind":        {`{rules: [resources], workload: {kind: Job, name: web}, reason: r, expiresAt: "2026-03-02T00:00:00Z", environment: production, seal: s}`, false},
		"another rule":        {`{rules: [probes], workload: {kind: Deployment, name: web}, reason: r, expiresAt: "2026-03-02T00:00:00Z", environment: production, seal: s}`, false},
		"another environment": {`{rules: [resources], workload: {kind: Deployment, name: web}, reason: r, expiresAt: "2026-03-02T00:00:00Z", environment: staging, seal: s}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.add(pathNamespaces, `metadata: {name: shop}`)
			s.add(pathDeployments, meta("web")+"\n"+template(running("web:v1", "")))
			s.add(pathReplicaSets, owned("web-1", "Deployment", "web")+"\n"+template(running("web:v1", "")))
			s.add(pathPods, owned("web-1-a", "ReplicaSet", "web-1")+"\nspec: "+running("web:v1", ""))
			s.add(pathExemptions, exemption("why", test.exemption))
			o, stdout, stderr := s.serve(shop)
			err := o.Run(t.Context())
			want, code := "Deployment/web 1 resources spec.template.spec.containers[0].resources.requests.cpu", exit.Denied
			if test.lifted {
				want, code = want+" exempted by why", exit.Done
			}
			if diff := cmp.Diff([]string{want}, findings(t, stdout)); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
			if exit.CodeOf(err) != code || strings.Contains(stderr.String(), "only the webhook can tell") != test.lifted {
				t.Errorf("exit code %d, stderr %s", exit.CodeOf(err), stderr)
			}
		})
	}
}

func TestDeclaredKindsAreListedInTheServedVersion(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.groups = []metav1.APIGroup{{Name: "argoproj.io", Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "argoproj.io/v1alpha1", Version: "v1alpha1"}},
		PreferredVersion: metav1.GroupVersionForDiscovery{GroupVersion: "argoproj.io/v1alpha1", Version: "v1alpha1"}}}
	s.add("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts", "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n"+meta("web")+"\n"+template(running("web:v1", "")))
	s.add(pathReplicaSets, owned("web-1", "Rollout", "web")+"\n"+template(running("web:v1", "")))
	s.add(pathPods, owned("web-1-a", "ReplicaSet", "web-1")+"\nspec: "+running("web:v1", ""))
	o, stdout, _ := s.serve(shop + `
  workloadKinds:
  - {group: argoproj.io, kind: Rollout, resource: rollouts, templatePath: spec.template}
  - {group: absent.io, kind: Thing, resource: things, templatePath: spec.template}
`)
	if err := o.Run(t.Context()); exit.CodeOf(err) != exit.Denied {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Rollout/web 1 resources spec.template.spec.containers[0].resources.requests.cpu"}, findings(t, stdout)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	if slices.ContainsFunc(s.asked, func(request string) bool { return strings.Contains(request, "absent.io") }) {
		t.Errorf("a group that is not served was asked: %v", s.asked)
	}
}

func TestCustomRulesSeeApiVersionAndKind(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add(pathDeployments, meta("web")+"\n"+template(running("web:v1", "1")))
	o, stdout, _ := s.serve(shop + `    custom: [{name: kind, expression: "object.apiVersion == 'apps/v1' && object.kind == 'Deployment'", message: unknown}]
`)
	if err := o.Run(t.Context()); err != nil {
		t.Errorf("%v: %s", err, stdout)
	}
}

func TestNamespacesAreJudged(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add("/api/v1/namespaces/shop/resourcequotas", `{metadata: {name: team}, spec: {hard: {pods: "50"}}}`)
	o, stdout, stderr := s.serve(shop + `
  namespaceSettings:
    resourceQuota: {hard: {pods: "20"}}
    networkPolicy: {defaultDeny: [Ingress]}
`)
	if err := o.Run(t.Context()); exit.CodeOf(err) != exit.Denied {
		t.Errorf("exit code %d", exit.CodeOf(err))
	}
	if diff := cmp.Diff([]string{"Namespace/shop 0 networkPolicy", "Namespace/shop 0 resourceQuota"}, findings(t, stdout)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(stderr.String(), "`kubectl rune env apply production --dry-run=server`") {
		t.Errorf("no way on: %s", stderr)
	}
	// Small lists come from the API server's cache, workloads and pods in pages of one consistent state.
	for _, request := range s.asked {
		paged, cached := strings.Contains(request, "limit=500"), strings.Contains(request, "resourceVersion=0")
		if strings.Contains(request, "/namespaces") && paged == cached {
			t.Errorf("request %s: paged %v, from the cache %v", request, paged, cached)
		}
	}
}

func TestThresholds(t *testing.T) {
	for flag, code := range map[string]exit.Code{"enforce": exit.Done, "warn": exit.Denied, "audit": exit.Denied} {
		s := newServer(t)
		s.add(pathNamespaces, `metadata: {name: shop}`)
		s.add(pathPods, meta("bare")+"\nspec: "+running("bare:v1", ""))
		o, _, _ := s.serve(strings.Replace(shop, "namespaces: [shop]", "namespaces: [shop]\n  enforcement: Warn", 1))
		o.FailOn = flag
		if err := o.Run(t.Context()); exit.CodeOf(err) != code {
			t.Errorf("--fail-on %s: exit code %d (%v), want %d", flag, exit.CodeOf(err), err, code)
		}
	}
}

func TestAReportThatMayNotBeWrittenHidesNoFindings(t *testing.T) {
	s := newServer(t)
	v := metav1.GroupVersionForDiscovery{GroupVersion: "openreports.io/v1alpha1", Version: "v1alpha1"}
	s.groups = []metav1.APIGroup{{Name: "openreports.io", Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}}
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add(pathDeployments, meta("web")+"\n"+template(running("web:v1", "1")))
	s.forbidden["/apis/openreports.io/v1alpha1/namespaces/shop/reports/rune-audit"] = true
	o, stdout, _ := s.serve(shop)
	o.Report = true
	err := o.Run(t.Context())
	if exit.CodeOf(err) != exit.Failed || !strings.Contains(err.Error(), "writing reports.openreports.io/rune-audit") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"Deployment/web 0"}, findings(t, stdout)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}

func TestALargeReportIsCutAndSaysSo(t *testing.T) {
	var results []report.Result
	for i := range maxReported {
		results = append(results,
			report.Result{Object: report.Object{Kind: "Pod", Name: strconv.Itoa(i)}},
			report.Result{Object: report.Object{Kind: "Pod", Name: strconv.Itoa(i)}, Verdict: policy.NewVerdict(policy.Violation{Rule: "tags"})})
	}
	w := &reportWriter{kind: reportKinds()[0]}
	made := w.make(target{namespace: &corev1.Namespace{}}, results)
	if len(made.Results) != maxReported || made.Results[maxReported-1].Result != resultFail || made.Summary.Pass != maxReported {
		t.Errorf("%d results, the last %q, summary %+v", len(made.Results), made.Results[maxReported-1].Result, made.Summary)
	}
	if got := made.Metadata.Annotations["rune.runeframeos.com/cut"]; got != "1000 of 2000 results are left out, the least important" {
		t.Errorf("annotation %q", got)
	}
}

func TestReportsAreWrittenAsTheServedKind(t *testing.T) {
	group := func(name, version string) metav1.APIGroup {
		v := metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + version, Version: version}
		return metav1.APIGroup{Name: name, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
	}
	tests := map[string]struct {
		groups []metav1.APIGroup
		path   string
	}{
		"the new home":        {[]metav1.APIGroup{group("openreports.io", "v1alpha1")}, "/apis/openreports.io/v1alpha1/namespaces/shop/reports/rune-audit"},
		"the former home":     {[]metav1.APIGroup{group("wgpolicyk8s.io", "v1alpha2")}, "/apis/wgpolicyk8s.io/v1alpha2/namespaces/shop/policyreports/rune-audit"},
		"the new one of both": {[]metav1.APIGroup{group("wgpolicyk8s.io", "v1alpha2"), group("openreports.io", "v1alpha1")}, "/apis/openreports.io/v1alpha1/namespaces/shop/reports/rune-audit"},
		"another version":     {[]metav1.APIGroup{group("wgpolicyk8s.io", "v1beta1")}, ""},
		"neither":             {nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.groups = test.groups
			s.add(pathNamespaces, `metadata: {name: shop}`)
			s.add(pathDeployments, meta("web")+"\n"+template(running("web:v1", "1")), meta("bad")+"\n"+template(running("bad:latest", "")))
			o, _, _ := s.serve(shop)
			o.Report = true
			err := o.Run(t.Context())
			if test.path == "" {
				if exit.CodeOf(err) != exit.Failed || !strings.Contains(err.Error(), "openreports.io") || len(s.bodies) > 0 {
					t.Errorf("%v, wrote %d", err, len(s.bodies))
				}
				return
			}
			var written policyReport
			if err := json.Unmarshal(s.bodies[test.path], &written); err != nil {
				t.Fatalf("%v in %v", err, s.bodies)
			}
			if diff := cmp.Diff(reportSummary{Pass: 1, Fail: 2}, written.Summary); diff != "" {
				t.Errorf("summary differs (-want +got):\n%s", diff)
			}
			if written.Results[0].Result != resultFail || written.Results[2].Result != resultPass || written.Results[0].Timestamp.Seconds != now().Unix() {
				t.Errorf("results %+v", written.Results)
			}
		})
	}
}
