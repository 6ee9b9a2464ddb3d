//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	psaapi "k8s.io/pod-security-admission/api"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// standard is one level and version of the Pod Security Standards with upstream's own fixtures for it.
type standard struct {
	level, version string
	pods           []*unstructured.Unstructured
}

// native is the namespace in which the API server itself enforces the standard.
func (s standard) native() string {
	return "psa-" + s.level + "-" + strings.ReplaceAll(s.version, ".", "-")
}

// judged is the namespace in which Rune enforces it.
func (s standard) judged() string { return "rune-" + s.level }

// TestControlPlanePodSecurity: the webhook admits and denies as the API server's own Pod Security admission does, for
// every level and version, by upstream's own fixtures.
func TestControlPlanePodSecurity(t *testing.T) {
	h := shared
	h.crds(t)
	h.process(t)
	levels := map[string][]standard{}
	wanted := map[string]map[string]string{}
	for _, level := range []string{"privileged", "baseline", "restricted"} {
		levels[level] = upstreamStandards(t, level)
		wanted[standard{level: level}.judged()] = nil
		h.remove(t, "environment", standard{level: level}.judged())
		for _, s := range levels[level] {
			wanted[s.native()] = map[string]string{psaapi.EnforceLevelLabel: s.level, psaapi.EnforceVersionLabel: s.version}
		}
	}
	h.namespaces(t, wanted)
	started := time.Now()
	count := &tally{answers: map[string]int{}}
	t.Run("levels", func(t *testing.T) {
		for level, standards := range levels {
			// The levels stand side by side; the versions of one follow each other in one Environment.
			t.Run(level, func(t *testing.T) {
				t.Parallel()
				for _, s := range standards {
					h.switchTo(t, s)
					h.sameAnswers(t, s, count)
				}
			})
		}
	})
	versions := len(levels["baseline"])
	t.Logf("%d admitted, %d denied, %d invalid for the API server itself, over %d versions (%s to %s) of 3 levels in %s; the API server is %s",
		count.answers["admitted"], count.answers["denied"], count.answers["invalid"],
		versions, levels["baseline"][0].version, levels["baseline"][versions-1].version,
		time.Since(started).Round(time.Millisecond), h.cluster.KubernetesVersion)
	if count.answers["admitted"] == 0 || count.answers["denied"] == 0 {
		t.Errorf("the answers are %v, want Pods admitted and denied", count.answers)
	}
}

// upstreamStandards reads the fixtures of k8s.io/pod-security-admission as this module requires it. The level
// privileged has none, since it allows everything: it gets what baseline denies.
func upstreamStandards(t *testing.T, level string) []standard {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("looking for upstream's fixtures: %v", err)
	}
	fixtures := filepath.Join(strings.TrimSpace(string(out)), "test", "testdata")
	directory, patterns := filepath.Join(fixtures, level), []string{"pass/*.yaml", "fail/*.yaml"}
	if level == "privileged" {
		directory, patterns = filepath.Join(fixtures, "baseline"), []string{"fail/*.yaml"}
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatalf("listing upstream's fixtures: %v", err)
	}
	var standards []standard
	for _, entry := range entries {
		s := standard{level: level, version: entry.Name()}
		for _, pattern := range patterns {
			files, err := filepath.Glob(filepath.Join(directory, s.version, pattern))
			if err != nil || len(files) == 0 {
				t.Fatalf("upstream has no fixtures %s of %s %s: %v", pattern, level, s.version, err)
			}
			for _, file := range files {
				s.pods = append(s.pods, readPod(t, file))
			}
		}
		standards = append(standards, s)
	}
	slices.SortFunc(standards, func(a, b standard) int { return cmp.Compare(minor(t, a.version), minor(t, b.version)) })
	if level == "privileged" {
		standards = standards[len(standards)-1:]
	}
	return standards
}

func minor(t *testing.T, version string) int {
	t.Helper()
	number, err := strconv.Atoi(strings.TrimPrefix(version, "v1."))
	if err != nil {
		t.Fatalf("reading version %q of upstream's fixtures: %v", version, err)
	}
	return number
}

func readPod(t *testing.T, file string) *unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pod := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(raw, &pod.Object); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	// Upstream names Pods after checks, in which there are underscores.
	pod.SetName(strings.ReplaceAll(pod.GetName(), "_", "-"))
	return pod
}

// environment has the standard as its only rule.
func (s standard) environment() *v1alpha1.Environment {
	return &v1alpha1.Environment{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: "Environment"},
		ObjectMeta: metav1.ObjectMeta{Name: s.judged()},
		Spec: v1alpha1.EnvironmentSpec{
			Namespaces: []string{s.judged()},
			Rules: v1alpha1.Rules{PodSecurity: &v1alpha1.PodSecurityRules{
				Level: v1alpha1.PodSecurityLevel(s.level), Version: s.version,
			}},
		},
	}
}

// switchTo makes a level's Environment ask for another version, and waits until its answers name that version.
func (h *harness) switchTo(t *testing.T, s standard) {
	t.Helper()
	h.environments(t, s.environment())
	if s.level == "privileged" {
		return // It denies nothing, so no answer could name it.
	}
	client := h.dynamic(t, "admin")
	eventually(t, s.level+" "+s.version+" to be asked", func() string {
		probe := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "probe"},
			"spec": map[string]any{"hostPID": true, "containers": []any{map[string]any{"name": "probe", "image": "probe"}}},
		}}
		probe.SetNamespace(s.judged())
		if a := create(t, client, core("pods"), probe, dryRun()); a.err == nil || !strings.Contains(a.err.Error(), strconv.Quote(s.level+":"+s.version)) {
			return fmt.Sprintf("a Pod with hostPID: %v", a.err)
		}
		return ""
	})
}

// sameAnswers sends every fixture of a standard to both namespaces.
func (h *harness) sameAnswers(t *testing.T, s standard, count *tally) {
	t.Helper()
	client := h.dynamic(t, "admin")
	each(s.pods, func(pod *unstructured.Unstructured) {
		native, nativeErr := ask(t, client, pod, s.native(), "violates PodSecurity")
		judged, judgedErr := ask(t, client, pod, s.judged(), "violates Pod Security")
		if native != judged {
			t.Errorf("%s %s: Pod %s: for Pod Security admission it is %s: %v\nfor Rune it is %s: %v",
				s.level, s.version, pod.GetName(), native, nativeErr, judged, judgedErr)
		}
		count.add(native)
	})
}

// ask returns what becomes of a Pod in a namespace, and the API server's words for it. A level and version that
// is older than the API server has fixtures which the API server itself finds invalid by now.
func ask(t *testing.T, client dynamic.Interface, pod *unstructured.Unstructured, namespace, denial string) (string, error) {
	t.Helper()
	pod = pod.DeepCopy()
	pod.SetNamespace(namespace)
	err := create(t, client, core("pods"), pod, dryRun()).err
	switch {
	case err == nil:
		return "admitted", nil
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), denial):
		return "denied", err
	case apierrors.IsInvalid(err):
		return "invalid", err
	default:
		t.Errorf("creating Pod %s in %s: %v", pod.GetName(), namespace, err)
		return "undecided", err
	}
}

// tally counts answers.
type tally struct {
	sync.Mutex
	answers map[string]int
}

func (c *tally) add(answer string) {
	c.Lock()
	defer c.Unlock()
	c.answers[answer]++
}
