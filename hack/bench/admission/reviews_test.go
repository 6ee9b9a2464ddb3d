package main

import (
	"encoding/json"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestReviewsAreWholeAndNoTwoAreAlike(t *testing.T) {
	for containers, size := range map[int]int{1: 4500, 3: 7000} {
		pod, err := newPod(containers)
		if err != nil {
			t.Fatal(err)
		}
		r, err := newReview(pod)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for number := range 3 {
			var decoded admissionv1.AdmissionReview
			if err := json.Unmarshal(r.body(number), &decoded); err != nil {
				t.Fatal(err)
			}
			var got corev1.Pod
			if err := json.Unmarshal(decoded.Request.Object.Raw, &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Spec.Containers) != containers || len(got.ManagedFields) != 1 {
				t.Errorf("%d containers and %d managers", len(got.Spec.Containers), len(got.ManagedFields))
			}
			if n := len(decoded.Request.Object.Raw); n < size || n > size+1000 {
				t.Errorf("the Pod with %d containers has %d bytes, about %d are wanted", containers, n, size)
			}
			seen[string(decoded.Request.UID)], seen[got.Name], seen[string(got.UID)] = true, true, true
		}
		if len(seen) != 9 {
			t.Errorf("some of 3 reviews share a UID or a name: %v", seen)
		}
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	c := &measured{
		floor: []sample{{cpu: 100}, {cpu: 1000}, {cpu: 10}},
		rune:  []sample{{cpu: 50}, {cpu: 1000}, {cpu: 20}},
	}
	if got := c.ratio(func(s sample) float64 { return float64(s.cpu) }); got != 1 {
		t.Errorf("median of the ratios 0.5, 1 and 2: %v", got)
	}
	if got := middle([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median %v", got)
	}
	if got := milliseconds(1500 * time.Microsecond); got != 1.5 {
		t.Errorf("%v ms", got)
	}
}
