package release_test

import (
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// nearer tells whether the weight that a gives is nearer to the wanted one than what b gives, exactly:
// |100·canary − weight·total| / total is compared over the common denominator.
func nearer(a, b release.Counts, weight int32) bool {
	miss := func(c release.Counts) (distance, total int64) {
		total = int64(c.Canary) + int64(c.Stable)
		return max(100*int64(c.Canary)-int64(weight)*total, int64(weight)*total-100*int64(c.Canary)), total
	}
	x, m := miss(a)
	y, n := miss(b)
	return x*n < y*m
}

func TestRatioIsTheNearestThatKeepsCapacity(t *testing.T) {
	for n := int32(1); n <= 200; n++ {
		for weight := int32(1); weight <= 100; weight++ {
			got := release.Ratio(n, weight, false)
			if got.Canary < 1 || got.Canary > n || got.Stable < 1 || got.Stable > n || got.Canary+got.Stable < n {
				t.Fatalf("Ratio(%d, %d) = %+v breaks a bound", n, weight, got)
			}
			if got.Stable < n && got.Canary < n {
				t.Fatalf("Ratio(%d, %d) = %+v: neither side is whole", n, weight, got)
			}
			for x := int32(1); x <= n; x++ {
				other := release.Counts{Stable: n, Canary: x}
				if weight > 50 {
					other = release.Counts{Stable: x, Canary: n}
				}
				if nearer(other, got, weight) {
					t.Fatalf("Ratio(%d, %d) = %+v, but %+v is nearer", n, weight, got, other)
				}
			}
		}
	}
}

func TestRatio(t *testing.T) {
	tests := map[string]struct {
		n, weight  int32
		keepStable bool
		want       release.Counts
	}{
		"no weight is no canary":                          {n: 4, weight: 0, want: release.Counts{Stable: 4}},
		"no replicas are no pods":                         {n: 0, weight: 50, want: release.Counts{}},
		"a small weight is one pod at least":              {n: 2, weight: 1, want: release.Counts{Stable: 2, Canary: 1}},
		"half is a whole canary beside a whole stable":    {n: 5, weight: 50, want: release.Counts{Stable: 5, Canary: 5}},
		"99 of two keeps a canary and a stable pod":       {n: 2, weight: 99, want: release.Counts{Stable: 1, Canary: 2}},
		"95 of ten shrinks the stable side":               {n: 10, weight: 95, want: release.Counts{Stable: 1, Canary: 10}},
		"75 of fifty":                                     {n: 50, weight: 75, want: release.Counts{Stable: 17, Canary: 50}},
		"100 keeps one stable pod":                        {n: 10, weight: 100, want: release.Counts{Stable: 1, Canary: 10}},
		"an autoscaled stable side is never made smaller": {n: 10, weight: 90, keepStable: true, want: release.Counts{Stable: 10, Canary: 10}},
		"one replica":                                     {n: 1, weight: 10, want: release.Counts{Stable: 1, Canary: 1}},
		"more than all is all":                            {n: 3, weight: 140, want: release.Counts{Stable: 1, Canary: 3}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := release.Ratio(tt.n, tt.weight, tt.keepStable); got != tt.want {
				t.Errorf("Ratio(%d, %d, %t) = %+v, want %+v", tt.n, tt.weight, tt.keepStable, got, tt.want)
			}
		})
	}
}

func TestActualWeight(t *testing.T) {
	tests := map[string]struct {
		stable, canary, want int32
	}{
		"nothing is ready":        {},
		"only stable pods":        {stable: 3},
		"only canary pods":        {canary: 3, want: 100},
		"a third rounds down":     {stable: 2, canary: 1, want: 33},
		"two thirds round up":     {stable: 1, canary: 2, want: 67},
		"large numbers stay true": {stable: 2_000_000_000, canary: 2_000_000_000, want: 50},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := release.ActualWeight(tt.stable, tt.canary); got != tt.want {
				t.Errorf("ActualWeight(%d, %d) = %d, want %d", tt.stable, tt.canary, got, tt.want)
			}
		})
	}
}
