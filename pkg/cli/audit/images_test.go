package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// signedShop asks for signatures.
const signedShop = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  namespaces: [shop]
  rules: {signatures: {}}
---
apiVersion: rune.runeframeos.com/v1alpha1
kind: ImagePolicy
metadata: {name: shop}
spec:
  images: ["r.example/**"]
  environments: [production]
  authorities: [{name: release, key: {kms: "awskms:///alias/release"}}]
`

// fakeRegistries resolve every tag, and say of images by the name of their repository whether they are signed.
type fakeRegistries struct {
	mu    sync.Mutex
	asked []string
}

func (r *fakeRegistries) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, fmt.Sprintf(format, args...))
}

func (r *fakeRegistries) Resolve(_ context.Context, access image.Access, ref image.Reference) (image.Resolution, error) {
	r.note("resolve %s for %s", ref, access.Key())
	return image.Resolution{Digest: "sha256:" + strings.Repeat("a", 64)}, nil
}

func (r *fakeRegistries) Verify(_ context.Context, question proof.Question) (proof.Finding, error) {
	r.note("verify %s for %s", question.Image.Name(), question.Access.Key())
	switch question.Image.Repository {
	case "good":
		return proof.Finding{Outcome: proof.Outcome{Satisfied: true}}, nil
	case "down":
		return proof.Finding{}, errors.New(`registry "r.example" fails (503 Service Unavailable)`)
	}
	return proof.Finding{Outcome: proof.Outcome{Reasons: []string{"it has no signatures"}}}, nil
}

func TestWhatRunsIsAskedAboutOnceForEachImage(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add(pathDeployments, meta("web")+"\n"+template(running("r.example/good:v1", "")), meta("bad")+"\n"+template(running("r.example/bad:v1", "")))
	s.add(pathReplicaSets, owned("old", "Deployment", "web")+"\n"+template(running("r.example/former:v1", "")))
	s.add(pathPods,
		meta("a")+"\nspec: "+running("r.example/good:v1", ""), meta("b")+"\nspec: "+running("r.example/good:v1", ""),
		meta("c")+"\nspec: "+running("r.example/down:v1", ""), meta("d")+"\nspec: "+running("elsewhere.example/x:v1", ""),
		meta("ended")+"\nspec: "+running("r.example/ended:v1", "")+"\nstatus: {phase: Succeeded}")
	o, stdout, stderr := s.serve(signedShop)
	asked := &fakeRegistries{}
	o.images = asked
	if got := exit.CodeOf(o.Run(t.Context())); got != exit.Denied {
		t.Errorf("exit code %d, want %d", got, exit.Denied)
	}
	want := []string{
		"Deployment/bad 0 signatures spec.template.spec.containers[0].image",
		"Deployment/web 0",
		"Pod/a 1 pin spec.containers[0].image",
		"Pod/b 1 pin spec.containers[0].image",
		"Pod/c 1 pin spec.containers[0].image",
		"Pod/c 1 signatures spec.containers[0].image",
		"Pod/d 1 pin spec.containers[0].image",
		"Pod/d 1 signatures spec.containers[0].image",
	}
	if diff := cmp.Diff(want, findings(t, stdout)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	slices.Sort(asked.asked)
	questions := []string{
		"resolve r.example/bad:v1 for shop/default", "resolve r.example/down:v1 for shop/default", "resolve r.example/good:v1 for shop/default",
		"verify r.example/bad for shop/default", "verify r.example/down for shop/default", "verify r.example/good for shop/default",
	}
	if diff := cmp.Diff(questions, asked.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if strings.Contains(stderr.String(), "admission only") {
		t.Errorf("signatures are said to be left out: %s", stderr)
	}
}

func TestWithoutVerificationSignaturesAreNamedAsLeftOut(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add(pathDeployments, meta("bad")+"\n"+template(running("r.example/bad:v1", "")))
	o, _, stderr := s.serve(signedShop)
	if got := exit.CodeOf(o.Run(t.Context())); got != exit.Done {
		t.Errorf("exit code %d, want %d", got, exit.Done)
	}
	if !strings.Contains(stderr.String(), "judged at admission only: signatures") {
		t.Errorf("the deferred rule is not named: %s", stderr)
	}
}
