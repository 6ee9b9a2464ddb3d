package manifests_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

const (
	vulnerabilities = "https://cosign.sigstore.dev/attestation/vuln/v1"
	coverage        = "https://runeframeos.com/attestations/coverage"
	staticAnalysis  = "https://json.schemastore.org/sarif-2.1.0.json"
)

// gates are the ImagePolicies of the profile's gates, by environment.
func gates(t *testing.T) map[string]*v1alpha1.ImagePolicy {
	t.Helper()
	loader, err := files.NewLoader()
	if err != nil {
		t.Fatal(err)
	}
	set, err := loader.Load(t.Context(), os.DirFS("profiles/runeframeos/gates"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*v1alpha1.ImagePolicy{}
	for i := range set.ImagePolicies {
		for _, environment := range set.ImagePolicies[i].Spec.Environments {
			found[environment] = &set.ImagePolicies[i]
		}
	}
	if len(found) != 2 || found["runeframeos-prod"] == nil || found["runeframeos-staging"] == nil {
		t.Fatalf("gates of %d environments", len(found))
	}
	return found
}

// predicate is a tool's report with some texts of it replaced: old, new, and so on.
func predicate(t *testing.T, name string, replace ...string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/gates/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(content), replace[i]) {
			t.Fatalf("%s does not hold %q", name, replace[i])
		}
	}
	return strings.NewReplacer(replace...).Replace(string(content))
}

func TestTheGatesJudgeWhatTheToolsWrite(t *testing.T) {
	good := map[string]string{vulnerabilities: predicate(t, "trivy"), coverage: predicate(t, "jest"), staticAnalysis: predicate(t, "eslint")}
	tests := map[string]struct {
		uri, predicate string
		want           string // a part of the only reason; empty where all gates are passed
	}{
		"all is well":                      {"", "", ""},
		"an image without packages":        {vulnerabilities, predicate(t, "trivy", `"Results": [`, `"Others": [`), ""},
		"a HIGH one":                       {vulnerabilities, predicate(t, "trivy", `"Severity": "MEDIUM"`, `"Severity": "HIGH"`), `"no-high-or-critical": the image has vulnerabilities`},
		"a CRITICAL one":                   {vulnerabilities, predicate(t, "trivy", `"Severity": "MEDIUM"`, `"Severity": "CRITICAL"`), `"no-high-or-critical": the image has vulnerabilities`},
		"one without a severity":           {vulnerabilities, predicate(t, "trivy", `"Severity": "MEDIUM"`, `"Score": 9`), "no such key: Severity"},
		"a scan of files":                  {vulnerabilities, predicate(t, "trivy", `"container_image"`, `"filesystem"`), `"scanned-by-trivy"`},
		"another scanner":                  {vulnerabilities, predicate(t, "trivy", "pkg:github/aquasecurity/trivy@", "pkg:github/anchore/grype@"), `"scanned-by-trivy"`},
		"coverage by Python's tool":        {coverage, predicate(t, "coveragepy"), ""},
		"little coverage by Python's tool": {coverage, predicate(t, "coveragepy", "82.4", "79.99"), "more than 80 %"},
		"80 % is not above 80 %":           {coverage, predicate(t, "jest", `"pct":86.03`, `"pct":80`), "more than 80 %"},
		"nothing was measured":             {coverage, predicate(t, "jest", `"pct":86.03`, `"pct":"Unknown"`), "cannot be judged"},
		"some other JSON":                  {coverage, `{"coverage": 99}`, "more than 80 %"},
		"an error of the analysis":         {staticAnalysis, predicate(t, "eslint", `"level": "warning"`, `"level": "error"`), `"no-errors": static analysis found errors`},
		"an error that was suppressed":     {staticAnalysis, predicate(t, "eslint", `"level": "warning"`, `"level": "error", "suppressions": [{"kind": "inSource"}]`), ""},
		"a result without a level":         {staticAnalysis, predicate(t, "eslint", `"level": "warning"`, `"kind": "fail"`), `"no-errors": static analysis found errors`},
		"nothing found":                    {staticAnalysis, `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"Bandit"}},"results":[],"invocations":[{"executionSuccessful":true}]}]}`, ""},
		"nothing analysed":                 {staticAnalysis, `{"version":"2.1.0","runs":[]}`, `"analysed"`},
		"an analysis that broke":           {staticAnalysis, `{"version":"2.1.0","runs":[{"results":[],"invocations":[{"executionSuccessful":false}]}]}`, `"analysed"`},
	}
	for environment, policy := range gates(t) {
		for name, tt := range tests {
			t.Run(environment+"/"+name, func(t *testing.T) {
				reports := map[string]string{}
				for uri, text := range good {
					reports[uri] = text
					if uri == tt.uri {
						reports[uri] = tt.predicate
					}
				}
				requireOutcome(t, policy, environment, reports, tt.want)
			})
		}
	}
}

// requireOutcome judges an image that the policy's authority signed, and for which it attested some reports.
func requireOutcome(t *testing.T, policy *v1alpha1.ImagePolicy, environment string, reports map[string]string, want string) {
	t.Helper()
	compiler, err := proof.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	requirement, err := compiler.Compile(policy)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := image.Parse("registry.runeframeos.com/runeframeos/distilera@sha256:" + strings.Repeat("a", 64))
	if err != nil {
		t.Fatal(err)
	}
	if !requirement.Covers(environment, ref) {
		t.Fatalf("the gates do not cover %s in %s", ref, environment)
	}
	signature := proof.Signature{Authority: policy.Spec.Authorities[0].Name, Signer: "workflow", Format: v1alpha1.FormatBundle}
	evidence := &proof.Evidence{Digest: ref.Digest, Signatures: []proof.Signature{signature}}
	for _, uri := range requirement.PredicateTypes() {
		projected, err := requirement.Project(uri, []byte(reports[uri]))
		if err != nil {
			t.Fatal(err)
		}
		evidence.Attestations = append(evidence.Attestations, proof.Attestation{Signature: signature, PredicateType: uri, Predicate: projected})
	}
	outcome := requirement.Judge(evidence, proof.Context{Image: ref, Environment: environment, Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)})
	switch {
	case want == "" && !outcome.Satisfied:
		t.Errorf("the gates are closed: %q", outcome.Reasons)
	case want != "" && (len(outcome.Reasons) != 1 || !strings.Contains(outcome.Reasons[0], want)):
		t.Errorf("reasons %q, want one that holds %q", outcome.Reasons, want)
	}
}

func TestTheGatesTrustOneBranchOfOneRepositoryWhenItIsPushed(t *testing.T) {
	const repository = "https://github.com/runeframeos/rune-frame-os"
	branches := map[string]string{"runeframeos-prod": "refs/heads/main", "runeframeos-staging": "refs/heads/develop"}
	tests := map[string]struct {
		repository, workflow string
		want                 []string // the refs of which it is trusted, in any environment
	}{
		"the pipeline":       {repository, repository + "/.github/workflows/release.yaml", []string{"refs/heads/main", "refs/heads/develop"}},
		"another repository": {repository + "-fork", repository + "-fork/.github/workflows/release.yaml", nil},
		"another's workflow": {repository, "https://github.com/evil/x/.github/workflows/release.yaml", nil},
		"a folder below":     {repository, repository + "/.github/workflows/x/release.yaml", nil},
		"a look-alike":       {"https://githubXcom/runeframeos/rune-frame-os", "https://githubXcom/runeframeos/rune-frame-os/.github/workflows/release.yaml", nil},
	}
	for environment, policy := range gates(t) {
		for name, tt := range tests {
			for _, ref := range []string{"refs/heads/main", "refs/heads/develop", "refs/heads/main2", "refs/heads/feature/main", "refs/tags/main", "refs/pull/1/merge"} {
				want := ref == branches[environment] && slices.Contains(tt.want, ref)
				for _, trigger := range []string{"push", "pull_request_target", "workflow_dispatch", "issue_comment", ""} {
					if got := trusts(t, policy, tt.workflow+"@"+ref, tt.repository, ref, trigger); got != (want && trigger == "push") {
						t.Errorf("%s: %s at %s by %q is trusted: %t", environment, name, ref, trigger, got)
					}
				}
			}
		}
	}
}

// trusts tells whether some identity of the policy is that of a workflow of GitHub Actions.
func trusts(t *testing.T, policy *v1alpha1.ImagePolicy, subject, repository, ref, trigger string) bool {
	t.Helper()
	says := map[v1alpha1.ExtensionName]string{
		v1alpha1.ExtensionSourceRepositoryURI: repository, v1alpha1.ExtensionSourceRepositoryRef: ref, "BuildTrigger": trigger,
	}
	for _, authority := range policy.Spec.Authorities {
		for _, identity := range authority.Keyless.Identities {
			holds := identity.Issuer == "https://token.actions.githubusercontent.com" && regexp.MustCompile(identity.SubjectRegExp).MatchString(subject)
			for _, extension := range identity.Extensions {
				holds = holds && extension.Value != "" && says[extension.Name] == extension.Value
			}
			if holds {
				return true
			}
		}
	}
	return false
}
