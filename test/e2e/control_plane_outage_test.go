//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	imageref "github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// apiServerTimeout is how long the API server waits for the webhook.
const apiServerTimeout = 10 * time.Second

// drillAdmissions is how many Pods of each kind are tried in each state of the registry, workers at a time.
const drillAdmissions = 500

// drill is an outage of a registry under an environment that admitted images of it before.
type drill struct {
	*signing
	address string
	webhook *replica
	// verified was verified, and the registry need not be asked for an hour; expired was, and should be asked
	// each second.
	verified, expired imageref.Reference
	rows              []drillRow
}

// drillRow is what one fault did.
type drillRow struct {
	fault    registry.Fault
	kind     string
	healthy  []time.Duration
	failing  []time.Duration
	refused  time.Duration
	recovery time.Duration
}

// cause is what a refusal says of a fault.
func cause(fault registry.Fault) string {
	switch fault {
	case registry.Stopped:
		return "refused"
	case registry.Hanging:
		return "did not answer in time"
	case registry.Throttled:
		return "429"
	default:
		return "503"
	}
}

// TestControlPlaneSignatureOutage: while a registry fails, what was verified runs on, what is new is refused with
// the truth, and all is well again once the registry is.
func TestControlPlaneSignatureOutage(t *testing.T) {
	s := shared.signing(t, "outage", registry.Options{})
	d := &drill{signing: s, address: s.address(t)}
	d.webhook = s.replica(t, d.address)
	short := s.policy("short", s.release)
	short.Spec.Cache = &v1alpha1.VerificationCache{ValidFor: &metav1.Duration{Duration: time.Second}}
	s.enforce(t, s.policy("shop", s.release), short)
	d.verified, d.expired = s.signed(t, "shop/web", "v1"), s.signed(t, "short/web", "v1")
	s.known(t, d.verified)
	s.known(t, d.expired)
	d.admitted(t, runs(tagged(d.verified)))
	s.apply(t, "admin", s.environment, deploymentOf("steady", 3, running(digested(d.verified)))).want(t, 0)
	s.kubectl(t, "admin", "rollout", "status", "-n", s.environment, "deployment/steady", "--timeout=60s").want(t, 0)

	for _, fault := range registry.Faults() {
		t.Run(string(fault), func(t *testing.T) { d.outage(t, fault) })
	}
	d.restart(t)
	t.Logf("admissions through the API server, %d at a time, %d of each kind and state:\n%s", workers, drillAdmissions, d.table())
}

// outage breaks the registry in one way and heals it.
func (d *drill) outage(t *testing.T, fault registry.Fault) {
	kinds := map[string]string{
		"by digest": runs(digested(d.verified)), "by tag": runs(tagged(d.verified)), "by digest, expired": runs(digested(d.expired)),
	}
	rows := map[string]*drillRow{}
	for kind, spec := range kinds {
		rows[kind] = &drillRow{fault: fault, kind: kind, healthy: d.tryOften(t, spec, false)}
	}
	unseen, healed := d.signed(t, "shop/unseen-"+string(fault), "v1"), d.signed(t, "shop/healed-"+string(fault), "v1")
	must(t, d.Break(t.Context(), fault))
	defer func() { must(t, d.Break(t.Context(), registry.Healthy)) }()

	began := time.Now()
	d.refusedForTheRegistry(t, digested(unseen), fault)
	took := time.Since(began)
	d.refusedForTheRegistry(t, tagged(unseen), fault)
	for kind, spec := range kinds {
		rows[kind].failing = d.tryOften(t, spec, kind != "by digest")
		rows[kind].refused = took
	}
	// A rollout and the replacement of a node's Pods are admissions like any other.
	d.kubectl(t, "admin", "rollout", "restart", "-n", d.environment, "deployment/steady").want(t, 0)
	d.kubectl(t, "admin", "rollout", "status", "-n", d.environment, "deployment/steady", "--timeout=60s").want(t, 0)
	d.kubectl(t, "admin", "scale", "-n", d.environment, "deployment/steady", "--replicas=4").want(t, 0)
	d.kubectl(t, "admin", "scale", "-n", d.environment, "deployment/steady", "--replicas=3").want(t, 0)

	must(t, d.Break(t.Context(), registry.Healthy))
	began = time.Now()
	d.known(t, healed)
	recovery := time.Since(began)
	d.known(t, unseen)
	eventually(t, "an admission by tag without a warning", func() string {
		if a := d.try(t, runs(tagged(d.verified))); a.err != nil || len(a.warnings) > 0 {
			return fmt.Sprint(a.err, a.warnings)
		}
		return ""
	})
	for _, kind := range []string{"by digest", "by tag", "by digest, expired"} {
		// Before and after, so that a machine whose speed drifts slows both alike.
		rows[kind].healthy = append(rows[kind].healthy, d.tryOften(t, kinds[kind], false)...)
		slices.Sort(rows[kind].healthy)
		rows[kind].recovery = recovery
		d.rows = append(d.rows, *rows[kind])
	}
}

// refusedForTheRegistry fails the test unless a new image is refused in time, by the webhook's own words.
func (d *drill) refusedForTheRegistry(t *testing.T, image string, fault registry.Fault) {
	t.Helper()
	began := time.Now()
	a := d.try(t, runs(image))
	if took := time.Since(began); took >= apiServerTimeout {
		t.Errorf("it was refused after %s, by the API server's patience", took)
	}
	d.refusal(t, a, "spec.containers[0].image", image, d.Host(), cause(fault))
	if a.err != nil && strings.Contains(a.err.Error(), notSatisfied) {
		t.Errorf("an image of which nobody can tell is called unsigned: %v", a.err)
	}
}

// tryOften tries a Pod many times, and fails the test unless all are admitted. Those that are judged by earlier answers
// carry a warning.
func (d *drill) tryOften(t *testing.T, spec string, stale bool) []time.Duration {
	t.Helper()
	took := make([]time.Duration, drillAdmissions)
	indices := make([]int, drillAdmissions)
	for i := range indices {
		indices[i] = i
	}
	var mu sync.Mutex
	refused, warned := []error(nil), 0
	each(indices, func(i int) {
		began := time.Now()
		a := d.try(t, spec)
		took[i] = time.Since(began)
		mu.Lock()
		defer mu.Unlock()
		if a.err != nil {
			refused = append(refused, a.err)
		}
		if slices.ContainsFunc(a.warnings, func(text string) bool { return strings.Contains(text, d.Host()) }) {
			warned++
		}
	})
	if len(refused) > 0 {
		t.Errorf("%s: %d of %d were refused, the first: %v", spec, len(refused), len(took), refused[0])
	}
	if stale && warned == 0 {
		t.Errorf("%s: none of %d admissions by an earlier answer carries a warning", spec, len(took))
	}
	slices.Sort(took)
	return took
}

// restart ends the only replica and starts another one while the registry is down. The replicas belong to the whole
// drill: what ends one of them must not take the registration with the API server away, by which all would be admitted.
func (d *drill) restart(t *testing.T) {
	drill := t
	for _, fault := range []registry.Fault{registry.Stopped, registry.Hanging} {
		t.Run("a replica that starts while the registry is "+string(fault), func(t *testing.T) {
			unseen := d.signed(t, "shop/restarted-"+string(fault), "v1")
			must(t, d.Break(t.Context(), fault))
			defer func() { must(t, d.Break(t.Context(), registry.Healthy)) }()
			d.webhook.stop()
			if a := d.try(t, runs(digested(d.verified))); a.err == nil {
				t.Fatal("a Pod was admitted while no replica ran: nobody judges, so that the drill would show nothing")
			}
			began := time.Now()
			d.webhook = d.replica(drill, d.address)
			eventually(t, "the replica to serve", func() string {
				a := d.try(t, runs(digested(d.verified)))
				if slices.ContainsFunc(a.causes(), func(c metav1.StatusCause) bool { return c.Type == "signatures" }) {
					t.Fatalf("a replica that started during the outage refuses what was verified: %v", a.err)
				}
				if a.err != nil {
					return a.err.Error()
				}
				return ""
			})
			t.Logf("%s after its start it admits what was verified before", time.Since(began).Round(time.Millisecond))
			// It judges: what no policy covers is refused by the same replica, without its registry.
			d.refused(t, runs("example.com/other@"+d.verified.Digest), "is covered by no ImagePolicy")
			d.tryOften(t, runs(digested(d.verified)), false)
			d.tryOften(t, runs(digested(d.expired)), true)
			d.refusedForTheRegistry(t, digested(unseen), fault)
			must(t, d.Break(t.Context(), registry.Healthy))
			d.known(t, unseen)
		})
	}
}

// table is for the eyes of whoever runs the drill: machines are shared, so times are told and not judged.
func (d *drill) table() string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "REGISTRY\tIMAGE\tADMITTED\tHEALTHY P50\tP99\tFAILING P50\tP99\tMAX\tP99 RATIO\tNEW IMAGE REFUSED AFTER\tRECOVERED AFTER")
	ms := func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
	for _, row := range d.rows {
		last, well := len(row.failing)-1, len(row.healthy)-1
		_, _ = fmt.Fprintf(out, "%s\t%s\t%d of %d\t%s\t%s\t%s\t%s\t%s\t%.2f\t%s\t%s\n", row.fault, row.kind, len(row.failing), len(row.failing),
			ms(row.healthy[well/2]), ms(row.healthy[well*99/100]), ms(row.failing[last/2]), ms(row.failing[last*99/100]), ms(row.failing[last]),
			float64(row.failing[last*99/100])/float64(row.healthy[well*99/100]), ms(row.refused), ms(row.recovery))
	}
	_ = out.Flush() // a strings.Builder takes everything
	return text.String()
}
