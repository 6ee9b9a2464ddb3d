package verdict

import (
	"runtime"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// heapOf returns how much a function leaves on the heap, in bytes.
func heapOf(fill func()) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	fill()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int(after.HeapAlloc) - int(before.HeapAlloc) //nolint:gosec // far below the limits
}

func TestTheSizeOfFactsIsNotUnderestimated(t *testing.T) {
	const facts = 10_000
	book := NewBook(Options{Log: logr.Discard()})
	taken := heapOf(func() {
		for n := range facts {
			book.Keep(evidenceOf(n), verified(n, start()))
		}
	})
	if taken > book.facts.bytes || taken > facts*2048 {
		t.Errorf("%d facts take %d bytes, estimated were %d", facts, taken, book.facts.bytes)
	}
	runtime.KeepAlive(book)
}

// BenchmarkTenThousandFacts measures the memory of a full book as it is read from a store, where no text is shared.
func BenchmarkTenThousandFacts(b *testing.B) {
	const facts = 10_000
	records := make([][]byte, facts)
	for n := range facts {
		record, err := verified(n, start()).record()
		if err != nil {
			b.Fatal(err)
		}
		records[n] = record.Content
	}
	var book *Book
	var taken int
	for b.Loop() {
		book = NewBook(Options{Log: logr.Discard()})
		taken = heapOf(func() {
			for n, content := range records {
				fact, err := readRecord(evidenceOf(n), proof.Record{Content: content}, start())
				if err != nil {
					b.Fatal(err)
				}
				book.learn(evidenceOf(n), fact)
			}
		})
	}
	b.ReportMetric(float64(taken)/facts, "bytes/fact")
	b.ReportMetric(float64(taken)/(1<<20), "MiB")
	runtime.KeepAlive(book)
}

func BenchmarkGet(b *testing.B) {
	book := NewBook(Options{Log: logr.Discard()})
	keys := make([]Key, 10_000)
	for n := range keys {
		keys[n] = evidenceOf(n)
		book.Keep(keys[n], verified(n, time.Now()))
	}
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if book.Get(keys[n%len(keys)]) == nil {
				b.Fail()
			}
		}
	})
}
