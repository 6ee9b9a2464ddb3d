package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a report with one of everything.
func sample() *report.Report {
	web := report.Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	return &report.Report{
		Files: 4,
		Problems: []report.Problem{
			{Source: report.Source{File: "apps/bad.yaml", Line: 3}, Column: 1, Message: "a tab cannot indent YAML: use spaces"},
			{Source: report.Source{File: "apps/gone.yaml"}, Message: "no such file or directory"},
		},
		Results: []report.Result{
			{
				Object: web, Environment: "production", Source: &report.Source{File: "apps/web, new.yaml", Line: 2},
				Invalid: []report.Invalid{{Field: "spec.template.spec.containers[0].resource", Message: `Deployment has no field "resource"`}},
				Position: func(field string) (int, int) {
					if strings.Contains(field, "containers") {
						return 14, 9
					}
					return 5, 3
				},
				Verdict: policy.Verdict{
					Violations: []policy.Violation{
						{Rule: policy.RuleReplicas, Field: "spec.replicas", Message: "must be at least 3", Enforcement: v1alpha1.EnforcementWarn},
						{Rule: policy.CustomRule("owner"), Field: "spec.template.metadata", Message: "100% of pods need <an owner>:\r\nadd \"team\", please", Enforcement: v1alpha1.EnforcementAudit},
						{Rule: policy.RuleTags, Field: "spec.template.spec.containers[0].image",
							Message: `image "registry.example.com/a/very/long/path/to/some/image/web:latest" of container "app" has the tag "latest", which is denied: name a version or a digest`, Enforcement: v1alpha1.EnforcementEnforce},
					},
					Exempted: []policy.Exempted{{
						Violation: policy.Violation{Rule: policy.RuleRegistries, Field: "spec.template.spec.containers[0].image", Message: "comes from elsewhere", Enforcement: v1alpha1.EnforcementEnforce},
						Exemption: "legacy",
					}},
					Deferred: []policy.Rule{policy.RuleAccess, policy.RuleApproval},
				},
			},
			{Object: report.Object{APIVersion: "v1", Kind: "Pod", Name: "broken"}, Environment: "production",
				Source: &report.Source{File: "apps/pod.yaml", Line: 1}, Err: errors.New("reading the pod: spec is absent")},
			{Object: report.Object{APIVersion: "v1", Kind: "Pod", Name: "good"}, Environment: "production", Source: &report.Source{File: "apps/pod.yaml", Line: 9}},
		},
		Skipped:   []report.Skipped{{Object: report.Object{APIVersion: "batch/v1", Kind: "Job", Namespace: "other", Name: "once"}, Source: &report.Source{File: "job.yaml", Line: 7}, Reason: `namespace "other" is in no environment`}},
		NotJudged: 2,
		Help: map[policy.Rule]report.Help{
			policy.RuleTags:   {Title: "No denied tag.", Text: "Tags that move.", Fix: "Name the version.", URI: "https://example.com/policy#tags"},
			policy.RuleCustom: {Title: "An expression holds.", Fix: "Do what the message asks."},
		},
	}
}

// live is a report of a cluster: without files and places.
func live() *report.Report {
	return &report.Report{Results: []report.Result{{
		Object: report.Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}, Environment: "production", Pods: 3,
		Verdict: policy.NewVerdict(policy.Violation{Rule: policy.RulePodSecurity, Field: "spec.template.spec", Message: "violates Pod Security"}),
	}}}
}

func written(t *testing.T, format report.Format, r *report.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := format.Write(&out, r, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestEveryFormatIsAsItsGoldenFile(t *testing.T) {
	for name, r := range map[string]*report.Report{"files": sample(), "cluster": live(), "empty": {}} {
		for _, format := range report.Formats() {
			t.Run(name+" "+format, func(t *testing.T) {
				golden := filepath.Join("testdata", name+"."+format)
				got := written(t, report.Format(format), r)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestSARIFKeepsItsSchema(t *testing.T) {
	for name, r := range map[string]*report.Report{"files": sample(), "cluster": live(), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			text := written(t, report.SARIF, r)
			// Names that the standard does not know are errors here, what it asks for below.
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&sarif.Report{}); err != nil {
				t.Fatal(err)
			}
			read, err := sarif.FromString(text)
			if err != nil {
				t.Fatal(err)
			}
			// What is absent in the text and has a default in the standard is empty in the library's types.
			for _, run := range read.Runs {
				if strings.Contains(text, `"language"`) || strings.Contains(text, `"newlineSequences"`) {
					t.Fatal("the text holds what is filled in here")
				}
				run.Language, run.Tool.Driver.Language, run.NewlineSequences = "en-US", "en-US", []string{"\n"}
			}
			if err := read.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSARIFResultsNameTheirRuleAndPlace(t *testing.T) {
	read, err := sarif.FromString(written(t, report.SARIF, sample()))
	if err != nil {
		t.Fatal(err)
	}
	run := read.Runs[0]
	levels := map[string]string{}
	for _, result := range run.Results {
		if rule := run.Tool.Driver.Rules[result.RuleIndex]; *rule.ID != *result.RuleID {
			t.Errorf("ruleIndex of %s is that of %s", *result.RuleID, *rule.ID)
		}
		levels[*result.RuleID] = result.Level
		place := result.Locations[0].PhysicalLocation
		if place.ArtifactLocation == nil || place.Region == nil || *place.Region.StartLine == 0 {
			t.Errorf("%s has no place: %+v", *result.RuleID, place)
		}
	}
	want := map[string]string{"schema": "error", "replicas": "warning", "custom/owner": "note", "tags": "error", "registries": "error", "unreadable": "error"}
	if diff := cmp.Diff(want, levels); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if *run.Invocations[0].ExecutionSuccessful {
		t.Error("executionSuccessful is true, and files could not be read")
	}
}

func TestJUnitIsWellFormedAndCounts(t *testing.T) {
	decoder := xml.NewDecoder(strings.NewReader(written(t, report.JUnit, sample())))
	counts := map[string]int{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			counts[start.Name.Local]++
		}
	}
	want := map[string]int{"testsuites": 1, "testsuite": 5, "testcase": 6, "failure": 1, "error": 3, "skipped": 1, "system-out": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
}

func TestGitHubEscapesWhatEndsAnAnnotation(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(written(t, report.GitHub, sample())), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "::") {
			t.Errorf("a line that is no annotation: %q", line)
		}
	}
	want := `::notice file=apps/web%2C new.yaml,line=5,col=3,title=rune%3A custom/owner::Deployment/web: spec.template.metadata: 100%25 of pods need <an owner>:%0D%0Aadd "team", please`
	if !strings.Contains(strings.Join(lines, "\n"), want) {
		t.Errorf("no line is %s in\n%s", want, strings.Join(lines, "\n"))
	}
}

func TestStructuredFormatsHoldTheSame(t *testing.T) {
	var fromJSON, fromYAML any
	if err := json.Unmarshal([]byte(written(t, report.JSON, sample())), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(written(t, report.YAML, sample())), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("(-json +yaml):\n%s", diff)
	}
}

func TestFailsCountsViolationsOfADegreeAndAbove(t *testing.T) {
	of := func(enforcement v1alpha1.Enforcement) *report.Report {
		return &report.Report{Results: []report.Result{{Verdict: policy.NewVerdict(policy.Violation{Enforcement: enforcement})}}}
	}
	for name, c := range map[string]struct {
		report    *report.Report
		threshold v1alpha1.Enforcement
		want      bool
	}{
		"none":                     {&report.Report{}, v1alpha1.EnforcementAudit, false},
		"enforce at enforce":       {of(v1alpha1.EnforcementEnforce), v1alpha1.EnforcementEnforce, true},
		"what is no degree denies": {of(""), v1alpha1.EnforcementEnforce, true},
		"warn at enforce":          {of(v1alpha1.EnforcementWarn), v1alpha1.EnforcementEnforce, false},
		"warn at warn":             {of(v1alpha1.EnforcementWarn), v1alpha1.EnforcementWarn, true},
		"enforce at warn":          {of(v1alpha1.EnforcementEnforce), v1alpha1.EnforcementWarn, true},
		"audit at warn":            {of(v1alpha1.EnforcementAudit), v1alpha1.EnforcementWarn, false},
		"everything at audit":      {of(v1alpha1.EnforcementAudit), v1alpha1.EnforcementAudit, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.report.Fails(c.threshold); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestTheSummaryIsOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		report *report.Report
		want   string
	}{
		"files":   {sample(), `checked 3 objects in 4 files for environment "production": 3 violations (1 of them deny), 1 invalid field, 1 that could not be judged in 2 objects; exempted: 1; skipped: 1 object; without pods: 2 objects; not read: 2 files; judged at admission only: access, approval`},
		"cluster": {live(), `checked 1 object for environment "production": 1 violation in 1 object`},
		"empty":   {&report.Report{}, "checked 0 objects: no violations"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.report.Line("checked"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAReportOfAClusterNamesWhatHasNoFile(t *testing.T) {
	r := live()
	r.Results[0].Object.Namespace = ""
	r.Problems = []report.Problem{{Source: report.Source{File: "namespaces/shop/pods"}, Message: "forbidden"}}
	if out := written(t, report.JUnit, r); strings.Contains(out, `name=""`) {
		t.Errorf("an element without a name:\n%s", out)
	}
	if line := r.Line("audited"); !strings.Contains(line, "not read: 1 list") {
		t.Errorf("got %s", line)
	}
}
