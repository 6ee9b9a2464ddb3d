package check_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

const signed = `apiVersion: rune.runeframeos.com/v1alpha1
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
  images: ["HOST/shop/*"]
  environments: [production]
  authorities: [{name: release, key: {data: KEY}}]
`

// twoDeployments have the same image.
const twoDeployments = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "HOST/shop/web:v1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: shop}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: app, image: "HOST/shop/web:v1"}]}
`

// shop is a registry with an image, and files that ask for its signature.
func shop(t *testing.T) (r *registry.Registry, ref image.Reference, key *registry.Key, files map[string]string) {
	t.Helper()
	r, err := registry.Start(t.Context(), registry.Options{Referrers: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if key, err = registry.NewKey(); err != nil {
		t.Fatal(err)
	}
	if ref, err = r.Push("shop/web", "v1"); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("HOST", r.Host(), "KEY", strconv.Quote(key.PEM))
	return r, ref, key, map[string]string{"config/rune.yaml": fill.Replace(signed), "apps/web.yaml": fill.Replace(twoDeployments)}
}

func TestSignaturesAreLeftToAdmissionUnlessAsked(t *testing.T) {
	r, _, _, files := shop(t)
	code, _, errOut := run(t, files, "", "-f", "apps", "--config", "config")
	if code != exit.Done || !strings.Contains(errOut, "judged at admission only: signatures") {
		t.Errorf("exit code %d:\n%s", code, errOut)
	}
	if asked := r.Requests().Total(); asked != 0 {
		t.Errorf("the registry was asked %d times", asked)
	}
}

func TestSignaturesAreVerifiedOnceForEachImage(t *testing.T) {
	r, ref, key, files := shop(t)
	arguments := []string{"-f", "apps", "--config", "config", "--verify-images"}
	code, out, errOut := run(t, files, "", arguments...)
	// Messages are wrapped; what is said of each Deployment is the same.
	if said := strings.Join(strings.Fields(out), " "); code != exit.Denied ||
		strings.Count(said, `does not satisfy ImagePolicy "shop": not signed by any authority (key "release"): it has no signatures`) != 2 {
		t.Errorf("unsigned: exit code %d:\n%s%s", code, out, errOut)
	}
	if err := r.Sign(ref, key); err != nil {
		t.Fatal(err)
	}
	r.Forget()
	code, out, errOut = run(t, files, "", arguments...)
	if code != exit.Done || strings.Contains(errOut, "admission only") {
		t.Errorf("signed: exit code %d:\n%s%s", code, out, errOut)
	}
	const most = 8 // ping, tag, signature and referrers, once and not once for each Deployment
	if asked := r.Requests(); asked.Total() > most {
		t.Errorf("the registry was asked %s", asked)
	}
}

func TestARegistryThatIsDownIsNotTakenForAnAnswer(t *testing.T) {
	r, ref, key, files := shop(t)
	if err := r.Sign(ref, key); err != nil {
		t.Fatal(err)
	}
	if err := r.Break(t.Context(), registry.Stopped); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	code, out, errOut := run(t, files, "", "-f", "apps", "--config", "config", "--verify-images")
	if said := strings.Join(strings.Fields(out), " "); code != exit.Denied || !strings.Contains(said, "could not be checked: registry") {
		t.Errorf("exit code %d:\n%s%s", code, out, errOut)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestFlagsAboutRegistriesNeedARegistry(t *testing.T) {
	_, _, _, files := shop(t)
	code, _, errOut := run(t, files, "", "-f", "apps", "--config", "config", "--registries", "x.yaml")
	if code != exit.Failed || !strings.Contains(errOut, "go with --verify-images") {
		t.Errorf("exit code %d:\n%s", code, errOut)
	}
}
