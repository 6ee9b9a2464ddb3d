package release

// Counts are the pods of both sides of a replica-ratio canary.
type Counts struct {
	// Stable pods of the user's Deployment.
	Stable int32
	// Canary pods of the second Deployment.
	Canary int32
}

// Ratio returns the pods that come nearest to a weight in percent for a workload of n replicas.
//
// Up to 50 % the stable side stays whole and the canary grows to n; above it the canary stays at n and
// the stable side shrinks, so that Stable + Canary is never below n and neither exceeds n. A weight
// above 0 never rounds to no canary, and the stable side keeps one pod even at 100: a Deployment left
// with replicas 0 by a dead driver would be an outage waiting for the next edit, and switches its
// autoscaler off. With keepStable (an autoscaler owns the stable side) the ratio stops at 50 %.
func Ratio(n, weight int32, keepStable bool) Counts {
	weight = min(max(weight, 0), 100)
	switch {
	case n <= 0:
		return Counts{}
	case weight == 0:
		return Counts{Stable: n}
	case weight <= 50:
		return Counts{Stable: n, Canary: share(n, weight)}
	case keepStable:
		return Counts{Stable: n, Canary: n}
	default:
		return Counts{Stable: share(n, 100-weight), Canary: n}
	}
}

// share returns the x in 1..n for which x/(n+x) is nearest to percent/100; of two equally near ones
// the smaller.
func share(n, percent int32) int32 {
	total, p := int64(n), int64(percent)
	low := min(max(total*p/(100-p), 1), total)
	high := min(low+1, total)
	// |low/(n+low) - p/100| and the same for high, over the common denominator 100(n+low)(n+high).
	lowMiss := abs(100*low-p*(total+low)) * (total + high)
	highMiss := abs(100*high-p*(total+high)) * (total + low)
	if highMiss < lowMiss {
		return int32(high) //nolint:gosec // at most n, which is an int32
	}
	return int32(low) //nolint:gosec // at most n, which is an int32
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

// ActualWeight returns the share of the canary's ready pods in percent, rounded to the nearest.
func ActualWeight(stableReady, canaryReady int32) int32 {
	total := int64(stableReady) + int64(canaryReady)
	if canaryReady <= 0 || total <= 0 {
		return 0
	}
	return int32((int64(canaryReady)*200 + total) / (2 * total)) //nolint:gosec // at most 100
}
