package audit

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

const (
	largePods = 10_000
	// podBytes is what a pod weighs with its managed fields and status, as seen on live clusters.
	podBytes = 8 << 10
	// largeHeap bounds the live heap above what was there before: some pages, not 80 MiB of pods.
	largeHeap = 32 << 20
)

// gauge is a clock that weighs the heap each time that it is asked, which is once for every object judged: in
// the middle of a page.
type gauge struct {
	*clocktesting.FakePassiveClock
	calls      int
	peak, live uint64
}

func (g *gauge) Now() time.Time {
	if g.calls++; g.calls%50 == 0 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		g.peak = max(g.peak, now.HeapAlloc)
	}
	if g.calls%1250 == 0 {
		var now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&now)
		g.live = max(g.live, now.HeapAlloc)
	}
	return g.FakePassiveClock.Now()
}

// large serves 100 Deployments with 100 pods each, made page by page, so that only the audit holds memory.
type large struct {
	requests atomic.Int64
	inFlight atomic.Int64
	most     atomic.Int64
}

func (l *large) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.requests.Add(1)
	l.most.Store(max(l.most.Load(), l.inFlight.Add(1)))
	defer l.inFlight.Add(-1)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/pods"):
		l.pods(w, r)
	case strings.HasSuffix(r.URL.Path, "/deployments"):
		_, _ = io.WriteString(w, `{"metadata":{},"items":[`)
		for i := range largePods / 100 {
			comma(w, i)
			fmt.Fprintf(w, `{"metadata":{"name":"web-%d","uid":"d-%d"},"spec":{"template":{"spec":%s}}}`, i, i, largeSpec)
		}
		_, _ = io.WriteString(w, `]}`)
	case r.URL.Path == "/api/v1/namespaces":
		_, _ = io.WriteString(w, `{"kind":"NamespaceList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"shop"}}]}`)
	default:
		_, _ = io.WriteString(w, `{"metadata":{},"items":[]}`)
	}
}

const largeSpec = `{"containers":[{"name":"app","image":"web:v1","resources":{"requests":{"cpu":"1"}}},{"name":"proxy","image":"proxy:latest","resources":{}}]}`

func comma(w io.Writer, i int) {
	if i > 0 {
		_, _ = io.WriteString(w, ",")
	}
}

func (l *large) pods(w io.Writer, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil {
		limit = largePods
	}
	to, next := min(from+limit, largePods), ""
	if to < largePods {
		next = strconv.Itoa(to)
	}
	filler := strings.Repeat("x", podBytes)
	fmt.Fprintf(w, `{"metadata":{"continue":%q},"items":[`, next)
	for i := from; i < to; i++ {
		comma(w, i-from)
		fmt.Fprintf(w, `{"metadata":{"name":"web-%d","uid":"p-%d","ownerReferences":[{"kind":"Deployment","name":"web","uid":"d-%d","controller":true}],"managedFields":[{"manager":%q}]},"spec":%s,"status":{"phase":"Running"}}`,
			i, i, i/100, filler, largeSpec)
	}
	_, _ = io.WriteString(w, `]}`)
}

func (l *large) options(t testing.TB, url, config string) *Options {
	t.Helper()
	kube, err := kubernetes.NewForConfig(&rest.Config{Host: url, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	o := &Options{
		Output: "json", FailOn: "enforce", QPS: defaultQPS, Clock: clocktesting.NewFakePassiveClock(now()), kube: kube,
		IOStreams: genericiooptions.NewTestIOStreamsDiscard(),
	}
	o.Source.Config = config
	return o
}

func TestTenThousandPodsStayWithinBounds(t *testing.T) {
	l := &large{}
	server := httptest.NewServer(l)
	defer server.Close()
	small := newServer(t)
	small.add(pathNamespaces, `metadata: {name: shop}`)
	warm, _, _ := small.serve(shop)
	// The tables of the first run stay for all later ones.
	if err := warm.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.NewCompiler(); err != nil {
		t.Fatal(err)
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	weigh := &gauge{FakePassiveClock: clocktesting.NewFakePassiveClock(now())}
	o := l.options(t, server.URL, warm.Source.Config)
	o.Clock = weigh
	found, err := o.judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pods := 0
	for _, result := range found.Results {
		pods += result.Pods
	}
	if len(found.Results) != largePods/100 || pods != largePods {
		t.Errorf("%d results for %d pods, want %d for %d", len(found.Results), pods, largePods/100, largePods)
	}
	live, peak := int64(weigh.live)-int64(before.HeapAlloc), int64(weigh.peak)-int64(before.HeapAlloc)
	t.Logf("%d pods of %d KiB: heap grew by %.1f MiB live, %.1f MiB with garbage; %d requests, %d at once",
		largePods, podBytes>>10, float64(live)/(1<<20), float64(peak)/(1<<20), l.requests.Load(), l.most.Load())
	if weigh.live == 0 || live > largeHeap {
		t.Errorf("the live heap grew by %d bytes, more than %d", live, largeHeap)
	}
	// 20 pages of pods, and one request for each kind and each small list.
	if l.requests.Load() > 40 || l.most.Load() > 1 {
		t.Errorf("%d requests, %d at once", l.requests.Load(), l.most.Load())
	}
}

func BenchmarkTenThousandPods(b *testing.B) {
	l := &large{}
	server := httptest.NewServer(l)
	defer server.Close()
	config := configured(b, shop)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.options(b, server.URL, config).judge(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
