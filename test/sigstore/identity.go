package sigstore

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Identity is who a keyless signature is by: what the issuer says in the token and Fulcio writes into the
// certificate. Make one with Workflow, OtherWorkflow or Person.
type Identity struct {
	// Issuer and Subject are those of the certificate.
	Issuer, Subject string
	// SourceRepository, SourceRef and Workflow are those of the certificate's extensions, empty for people.
	SourceRepository, SourceRef, Workflow string

	claims map[string]any
}

// Workflow is a run of a GitHub workflow: repository "acme/web" and ref "refs/heads/main" give the subject
// https://github.com/acme/web/.github/workflows/release.yaml@refs/heads/main.
func (s *Sigstore) Workflow(repository, ref string) Identity {
	return s.workflow(s.issuer.url+workflowsPath, repository, ref)
}

// OtherWorkflow has the same subject and extensions as Workflow, by another issuer that Fulcio trusts too.
func (s *Sigstore) OtherWorkflow(repository, ref string) Identity {
	return s.workflow(s.issuer.url+otherWorkflowsPath, repository, ref)
}

func (s *Sigstore) workflow(issuer, repository, ref string) Identity {
	owner, _, _ := strings.Cut(repository, "/")
	file := repository + "/.github/workflows/release.yaml@" + ref
	commit := strings.Repeat("a1", 20)
	return Identity{
		Issuer: issuer, Subject: "https://github.com/" + file,
		SourceRepository: "https://github.com/" + repository, SourceRef: ref, Workflow: "https://github.com/" + file,
		claims: map[string]any{
			"sub": "repo:" + repository + ":ref:" + ref, "repository": repository, "ref": ref, "sha": commit,
			"repository_owner": owner, "repository_id": "1", "repository_owner_id": "2", "repository_visibility": "public",
			"workflow": "release", "workflow_ref": file, "workflow_sha": commit, "job_workflow_ref": file, "job_workflow_sha": commit,
			"event_name": "push", "runner_environment": "github-hosted", "run_id": "3", "run_attempt": "1",
		},
	}
}

// TriggeredBy is the same workflow, started by another event of GitHub than a push.
func (i Identity) TriggeredBy(event string) Identity {
	i.claims = maps.Clone(i.claims)
	i.claims["event_name"] = event
	return i
}

// Person is someone with a verified e-mail address.
func (s *Sigstore) Person(email string) Identity {
	return Identity{
		Issuer: s.issuer.url + peoplePath, Subject: email,
		claims: map[string]any{"sub": email, "email": email, "email_verified": true},
	}
}

// tokenFile returns the path of a token of the identity, good for an hour.
func (s *Sigstore) tokenFile(t testing.TB, who Identity) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(s.issuer.token(t, who.Issuer, who.claims)), 0o600); err != nil {
		t.Fatalf("keeping a token: %v", err)
	}
	return path
}
