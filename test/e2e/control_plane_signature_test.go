//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// notSatisfied is how a refusal begins whose cause is the image and not its registry.
const notSatisfied = "does not satisfy ImagePolicy"

// TestControlPlaneSignatures: attempts to run an image that nobody trusted signed, on a real API server.
func TestControlPlaneSignatures(t *testing.T) {
	s := shared.signing(t, "signed", registry.Options{Referrers: true})
	s.process(t)
	two := s.policy("two", s.release, s.security)
	two.Spec.Require, two.Spec.AtLeast = v1alpha1.RequireAtLeast, new(int32)
	*two.Spec.AtLeast = 2
	named := s.policy("localhost", s.release)
	named.Spec.Images = []string{"localhost" + s.Host()[strings.LastIndex(s.Host(), ":"):] + "/shop/*"}
	s.enforce(t, s.policy("shop", s.release), two, named)
	s.known(t, s.signed(t, "shop/first", "v1"))

	t.Run("an image that nobody signed", s.unsigned)
	t.Run("verify A, run B, by a tag that moves", s.movedTag)
	t.Run("verify A, run B, by a tag that is another at each look", s.flickeringTag)
	t.Run("a signature copied from another image", s.transplanted)
	t.Run("provenance passed off as a signature", s.provenance)
	t.Run("one key counted twice", s.countedTwice)
	t.Run("a registry in upper case", s.upperCase)
	t.Run("a registry that looks alike", s.lookAlike)
	t.Run("init containers and native sidecars", s.initContainers)
	t.Run("ephemeral containers", s.ephemeralContainers)
	t.Run("image volumes", s.imageVolumes)
	t.Run("scaling down with another image", s.scaleDown)
	t.Run("all images are told at once", s.allAtOnce)
}

func (s *signing) unsigned(t *testing.T) {
	ref := s.push(t, "shop/unsigned", "v1")
	for _, image := range []string{tagged(ref), digested(ref)} {
		s.refused(t, runs(image), "spec.containers[0].image", ref.Name(), ref.Digest, notSatisfied+` "signed-shop"`)
	}
	must(t, s.Sign(ref, s.stranger))
	s.refused(t, runs(tagged(ref)), notSatisfied)
	s.refused(t, runs(ref.Name()+":none"), ref.Name()+":none", "does not exist")
	// It stays refused for seconds only.
	must(t, s.Sign(ref, s.release))
	s.known(t, ref)
}

// movedTag: what runs is what was verified, and a tag that was once verified is nothing.
func (s *signing) movedTag(t *testing.T) {
	a, b := s.signed(t, "shop/moving", "v1"), s.push(t, "shop/moving", "evil")
	if got := s.admitted(t, runs(tagged(a))); !strings.HasSuffix(got, "@"+a.Digest) {
		t.Errorf("the Pod would run %s, want the digest %s", got, a.Digest)
	}
	must(t, s.Move(b, a.Tag))
	s.refused(t, runs(tagged(a)), notSatisfied)
	s.refused(t, runs(tagged(a)+"@"+b.Digest), notSatisfied)
	// The tag beside a digest is only for people.
	if got := s.admitted(t, runs(tagged(a)+"@"+a.Digest)); !strings.HasSuffix(got, "@"+a.Digest) {
		t.Errorf("the Pod would run %s, want the digest %s", got, a.Digest)
	}
	must(t, s.Move(a, a.Tag))
	s.admitted(t, runs(tagged(a)))
}

// flickeringTag: the registry names the signed and the unsigned image in turns.
func (s *signing) flickeringTag(t *testing.T) {
	a, b := s.signed(t, "shop/flickering", "a"), s.push(t, "shop/flickering", "b")
	var looks atomic.Int64
	s.Replace("/manifests/v1", http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		ref := a
		if looks.Add(1)%2 == 0 {
			ref = b
		}
		asked := request.Clone(request.Context())
		asked.URL.Path = "/v2/" + ref.Repository + "/manifests/" + ref.Digest
		s.Content().ServeHTTP(w, asked)
	}))
	t.Cleanup(func() { s.Replace("/manifests/v1", nil) })
	admitted, refused := 0, 0
	for range 20 {
		answer := s.try(t, runs(a.Name()+":v1"))
		if answer.err != nil {
			refused++
			continue
		}
		admitted++
		if got := podImage(t, answer); got != a.Name()+"@"+a.Digest && got != a.Name()+":v1@"+a.Digest {
			t.Fatalf("the Pod would run %s", got)
		}
	}
	if admitted == 0 || refused == 0 {
		t.Errorf("%d were admitted and %d refused, want some of both: the test shows nothing", admitted, refused)
	}
}

func (s *signing) transplanted(t *testing.T) {
	good, ref := s.signed(t, "shop/good", "v1"), s.push(t, "shop/bad", "v1")
	must(t, s.SignPayload(ref, s.release, registry.Payload(good)))
	s.refused(t, runs(digested(ref)), notSatisfied)
	bundled := s.push(t, "shop/bad-bundle", "v1")
	must(t, s.Bundle(bundled, s.release, registry.Statement{PredicateType: registry.SignatureStatement, Predicate: map[string]any{}, Digest: good.Digest}))
	s.refused(t, runs(digested(bundled)), notSatisfied)
}

// provenance: that an image was built somehow is no word that it may run, whatever its annotations claim.
func (s *signing) provenance(t *testing.T) {
	const slsa = "https://slsa.dev/provenance/v1"
	ref := s.push(t, "shop/provenance", "v1")
	statement := registry.Statement{PredicateType: slsa, Predicate: map[string]any{"buildDefinition": map[string]any{}}}
	must(t, s.Attest(ref, s.release, statement))
	must(t, s.Bundle(ref, s.release, statement))
	s.refused(t, runs(digested(ref)), notSatisfied)
	must(t, s.BundleAs(ref, s.release, statement, registry.SignatureStatement))
	forged := s.push(t, "shop/forged-provenance", "v1")
	must(t, s.BundleAs(forged, s.release, statement, registry.SignatureStatement))
	s.refused(t, runs(digested(forged)), notSatisfied)
	must(t, s.SignBundle(forged, s.release))
	s.known(t, forged)
}

func (s *signing) countedTwice(t *testing.T) {
	ref := s.signed(t, "two/web", "v1")
	must(t, s.Sign(ref, s.release))
	must(t, s.SignBundle(ref, s.release))
	s.refused(t, runs(digested(ref)), notSatisfied+` "signed-two"`)
	must(t, s.Sign(ref, s.stranger))
	s.refused(t, runs(tagged(ref)), notSatisfied)
	must(t, s.Sign(ref, s.security))
	s.known(t, ref)
}

func (s *signing) upperCase(t *testing.T) {
	port := s.Host()[strings.LastIndex(s.Host(), ":"):]
	good, bad := s.signed(t, "shop/cased", "v1"), s.push(t, "shop/cased-bad", "v1")
	for _, host := range []string{"localhost", "LOCALHOST", "LocalHost"} {
		s.refused(t, runs(host+port+"/"+bad.Repository+":v1"), notSatisfied+` "signed-localhost"`)
		s.refused(t, runs(host+port+"/"+bad.Repository+"@"+bad.Digest), notSatisfied+` "signed-localhost"`)
		if got := s.admitted(t, runs(host+port+"/"+good.Repository+":v1")); !strings.HasSuffix(got, "@"+good.Digest) {
			t.Errorf("the Pod would run %s", got)
		}
	}
}

// lookAlike: no registry is asked about what no policy covers.
func (s *signing) lookAlike(t *testing.T) {
	good := s.signed(t, "shop/alike", "v1")
	s.Forget()
	for _, image := range []string{
		s.Host() + ".evil.org/shop/alike@" + good.Digest, "evil.org/" + s.Host() + "/shop/alike@" + good.Digest,
		"docker.io/shop/alike@" + good.Digest, "shop/alike@" + good.Digest, "x" + s.Host() + "/shop/alike@" + good.Digest,
		s.Host() + "/shop/alike/deeper@" + good.Digest, s.Host() + "/shopping/alike@" + good.Digest, s.Host() + "/shop/../other/alike@" + good.Digest,
	} {
		s.refused(t, runs(image), image)
	}
	if got := s.Requests(); got.Total() != 0 {
		t.Errorf("the registry was asked: %s", got)
	}
}

func (s *signing) initContainers(t *testing.T) {
	good, bad := s.signed(t, "shop/app", "v1"), s.push(t, "shop/setup", "v1")
	spec := func(image, more string) string {
		return fmt.Sprintf("%s, initContainers: [{name: setup, image: %q%s}]", runs(digested(good)), image, more)
	}
	for _, more := range []string{"", ", restartPolicy: Always"} {
		s.refused(t, spec(tagged(bad), more), "spec.initContainers[0].image", bad.Name())
		s.admitted(t, spec(tagged(good), more))
	}
}

func (s *signing) ephemeralContainers(t *testing.T) {
	good, bad := s.signed(t, "shop/debugged", "v1"), s.push(t, "shop/debugger", "v1")
	s.apply(t, "admin", s.environment, podOf("debugged", runs(digested(good)))).want(t, 0)
	debug := func(image string) result {
		return s.kubectl(t, "admin", "patch", "pod", "debugged", "-n", s.environment, "--subresource", "ephemeralcontainers",
			"--type", "strategic", "-p", fmt.Sprintf(`{"spec":{"ephemeralContainers":[{"name":"debug","image":%q}]}}`, image))
	}
	debug(tagged(bad)).want(t, 1, "spec.ephemeralContainers[0].image", notSatisfied, "[signatures]")
	debug(digested(bad)).want(t, 1, "spec.ephemeralContainers[0].image", notSatisfied, "[signatures]")
	debug(digested(good)).want(t, 0)
}

func (s *signing) imageVolumes(t *testing.T) {
	good, bad := s.signed(t, "shop/reader", "v1"), s.push(t, "shop/data", "v1")
	spec := func(image string) string {
		return fmt.Sprintf("%s, volumes: [{name: data, image: {reference: %q}}]", runs(digested(good)), image)
	}
	s.refused(t, spec(tagged(bad)), "spec.volumes[0].image.reference", bad.Name(), notSatisfied)
	s.refused(t, spec(digested(bad)), "spec.volumes[0].image.reference", notSatisfied)
	s.admitted(t, spec(tagged(good)))
}

// scaleDown: fewer replicas are free, without a word from the registry; another image is not.
func (s *signing) scaleDown(t *testing.T) {
	good, bad := s.signed(t, "shop/scaled", "v1"), s.push(t, "shop/scaled-bad", "v1")
	s.apply(t, "admin", s.environment, deploymentOf("scaled", 3, running(digested(good)))).want(t, 0)
	for _, replicas := range []int{2, 0} {
		s.apply(t, "admin", s.environment, deploymentOf("scaled", replicas, running(digested(bad)))).
			want(t, 1, "spec.template.spec.containers[0].image", notSatisfied)
		s.apply(t, "admin", s.environment, deploymentOf("scaled", replicas, running(tagged(bad)))).want(t, 1, notSatisfied)
	}
	s.kubectl(t, "admin", "rollout", "status", "-n", s.environment, "deployment/scaled", "--timeout=60s").want(t, 0)
	s.Forget()
	s.apply(t, "admin", s.environment, deploymentOf("scaled", 1, running(digested(good)))).want(t, 0)
	s.kubectl(t, "admin", "scale", "-n", s.environment, "deployment/scaled", "--replicas=0").want(t, 0)
	if got := s.Requests(); got.Total() != 0 {
		t.Errorf("for scaling down the registry was asked: %s", got)
	}
}

func (s *signing) allAtOnce(t *testing.T) {
	one, two := s.push(t, "shop/one", "v1"), s.push(t, "shop/two", "v1")
	s.refused(t, fmt.Sprintf("containers: [{name: a, image: %q}, {name: b, image: %q}], initContainers: [{name: c, image: %q}]",
		tagged(one), digested(two), "example.com/other:v1"),
		"spec.containers[0].image", "spec.containers[1].image", "spec.initContainers[0].image", one.Name(), two.Name(), "example.com/other:v1")
}
