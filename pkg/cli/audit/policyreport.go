package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy/namespace"
)

const (
	// maxReported bounds the results of one report object: etcd takes 1.5 MiB.
	maxReported = 1000
	// reportName is the name of the report in each namespace.
	reportName = "rune-audit"
	// reportSource names this program in reports.
	reportSource = "rune"
)

// ErrNoReports says that the cluster has no kind to write reports into.
var ErrNoReports = errors.New("--report needs the kind Report of openreports.io or PolicyReport of wgpolicyk8s.io, and this cluster serves neither: install the CustomResourceDefinitions of https://github.com/openreports/reports-api, or leave --report out")

// reportKinds are the kinds that reports are written as, the first served one counts. wgpolicyk8s.io is the
// former home of openreports.io; both describe results alike.
func reportKinds() []kind {
	return []kind{
		{GroupVersionKind: schema.GroupVersionKind{Group: "openreports.io", Version: "v1alpha1", Kind: "Report"}, resource: "reports"},
		{GroupVersionKind: schema.GroupVersionKind{Group: "wgpolicyk8s.io", Version: "v1alpha2", Kind: "PolicyReport"}, resource: "policyreports"},
	}
}

// reportWriter is nil where no reports are asked for.
func (o *Options) reportWriter() (*reportWriter, error) {
	if !o.Report {
		return nil, nil
	}
	served, err := o.kube.Discovery().ServerGroups()
	if err != nil {
		return nil, fmt.Errorf("asking the API server which groups it serves: %w", err)
	}
	for _, k := range reportKinds() {
		for i := range served.Groups {
			for _, each := range served.Groups[i].Versions {
				if each.GroupVersion == k.GroupVersion().String() {
					return &reportWriter{client: o.kube.Discovery().RESTClient(), kind: k, now: metav1.Time{Time: o.Clock.Now()}}, nil
				}
			}
		}
	}
	return nil, ErrNoReports
}

// reportWriter writes reports as one kind.
type reportWriter struct {
	client rest.Interface
	kind   kind
	now    metav1.Time
}

// policyReport is the part that both kinds share.
type policyReport struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        reportMeta     `json:"metadata"`
	Source          string         `json:"source,omitempty"`
	Scope           reportSubject  `json:"scope"`
	Summary         reportSummary  `json:"summary"`
	Results         []reportResult `json:"results"`
}

type reportMeta struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type reportSubject struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// reportSummary counts: pass and error by object, the others by violation.
type reportSummary struct {
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Warn  int `json:"warn"`
	Error int `json:"error"`
	Skip  int `json:"skip"`
}

type reportResult struct {
	Source     string            `json:"source"`
	Policy     string            `json:"policy"`
	Rule       string            `json:"rule,omitempty"`
	Result     string            `json:"result"`
	Severity   string            `json:"severity,omitempty"`
	Scored     bool              `json:"scored"`
	Message    string            `json:"message,omitempty"`
	Timestamp  reportTime        `json:"timestamp"`
	Resources  []reportSubject   `json:"resources"`
	Properties map[string]string `json:"properties,omitempty"`
}

type reportTime struct {
	Seconds int64 `json:"seconds"`
	Nanos   int32 `json:"nanos"`
}

// Results of the report kinds.
const (
	resultPass  = "pass"
	resultFail  = "fail"
	resultWarn  = "warn"
	resultError = "error"
	resultSkip  = "skip"
)

// write replaces the report of a namespace and says so in a line.
func (w *reportWriter) write(ctx context.Context, of target, results []report.Result) (string, error) {
	made := w.make(of, results)
	body, err := json.Marshal(made)
	if err != nil {
		return "", fmt.Errorf("encoding the report of namespace %q: %w", of.namespace.Name, err)
	}
	err = w.client.Patch(types.ApplyPatchType).AbsPath(w.kind.path(of.namespace.Name), made.Metadata.Name).
		VersionedParams(&metav1.PatchOptions{FieldManager: v1alpha1.FieldManager}, metav1.ParameterCodec).
		SetHeader("Accept", "application/json").Body(body).Do(ctx).Error()
	if err != nil {
		return "", fmt.Errorf("writing %s/%s in namespace %q: %w", w.kind, made.Metadata.Name, of.namespace.Name, err)
	}
	return fmt.Sprintf("%s/%s written in namespace %s: %d failed, %d warned, %d passed",
		w.kind, made.Metadata.Name, of.namespace.Name, made.Summary.Fail, made.Summary.Warn, made.Summary.Pass), nil
}

// make puts failures before warnings before the rest, so that a cut takes the least important.
func (w *reportWriter) make(of target, results []report.Result) *policyReport {
	made := &policyReport{
		TypeMeta: metav1.TypeMeta{APIVersion: w.kind.GroupVersion().String(), Kind: w.kind.Kind},
		Metadata: reportMeta{Name: reportName, Namespace: of.namespace.Name, Labels: namespace.OwnLabels()},
		Source:   reportSource,
		Scope:    reportSubject{APIVersion: "v1", Kind: "Namespace", Name: of.namespace.Name},
		Results:  []reportResult{},
	}
	if w.kind.Kind == "PolicyReport" {
		// v1alpha2 names the source in each result only.
		made.Source = ""
	}
	byResult := map[string][]reportResult{}
	for i := range results {
		for _, one := range w.resultsOf(&results[i]) {
			byResult[one.Result] = append(byResult[one.Result], one)
		}
	}
	made.Summary = reportSummary{
		Pass: len(byResult[resultPass]), Fail: len(byResult[resultFail]), Warn: len(byResult[resultWarn]),
		Error: len(byResult[resultError]), Skip: len(byResult[resultSkip]),
	}
	total := 0
	for _, kind := range []string{resultError, resultFail, resultWarn, resultSkip, resultPass} {
		total += len(byResult[kind])
		made.Results = append(made.Results, byResult[kind]...)
	}
	if total > maxReported {
		made.Results = made.Results[:maxReported]
		made.Metadata.Annotations = map[string]string{
			v1alpha1.GroupName + "/cut": fmt.Sprintf("%d of %d results are left out, the least important", total-maxReported, total),
		}
	}
	return made
}

// resultsOf lists the violations of an object, or says that it has none.
func (w *reportWriter) resultsOf(result *report.Result) []reportResult {
	base := reportResult{
		Source: reportSource, Policy: "environment/" + result.Environment,
		Timestamp: reportTime{Seconds: w.now.Unix()},
		Resources: []reportSubject{{
			APIVersion: result.Object.APIVersion, Kind: result.Object.Kind, Namespace: result.Object.Namespace, Name: result.Object.Name,
		}},
	}
	var list []reportResult
	for _, finding := range result.Findings() {
		one := base
		one.Rule, one.Message, one.Scored = string(finding.Rule), finding.Message, true
		one.Properties = properties(result, finding)
		one.Result, one.Severity = resultFail, "high"
		switch {
		case finding.Rule == report.RuleUnreadable:
			one.Result, one.Severity = resultError, ""
		case finding.Exemption != "":
			one.Result, one.Severity, one.Scored = resultSkip, "info", false
		case finding.Enforcement != v1alpha1.EnforcementEnforce:
			one.Result, one.Severity, one.Scored = resultWarn, "medium", false
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		base.Result, base.Scored = resultPass, true
		list = append(list, base)
	}
	return list
}

func properties(result *report.Result, finding report.Finding) map[string]string {
	set := map[string]string{"enforcement": string(finding.Enforcement)}
	if finding.Field != "" {
		set["field"] = finding.Field
	}
	if finding.Exemption != "" {
		set["exemption"] = finding.Exemption
	}
	if result.Pods > 0 {
		set["pods"] = fmt.Sprint(result.Pods)
	}
	return set
}
