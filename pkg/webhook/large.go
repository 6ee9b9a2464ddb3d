package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"

	"golang.org/x/sync/semaphore"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// largeBody is the size in bytes above which reviews wait for one another. An ordinary one has some 10 KiB.
	largeBody = 256 << 10
	// largeTogether is how many bytes of large reviews are judged at once: what judging holds in memory is a
	// multiple of what is judged, and a process that runs out of it stops all admission.
	largeTogether = maxBody
	// headOfReview is where the API server writes the UID of a request.
	headOfReview = 4 << 10
)

// largeReviews bounds the memory that reviews take together. The zero value is ready.
type largeReviews struct {
	once sync.Once
	room *semaphore.Weighted
}

// enter waits for room for a review whose body has a size, -1 where nobody knows. Small reviews never wait.
// What it returns gives the room back.
func (l *largeReviews) enter(ctx context.Context, size int64) (leave func(), err error) {
	if size >= 0 && size <= largeBody {
		return func() {}, nil
	}
	if size < 0 || size > largeTogether {
		size = largeTogether
	}
	l.once.Do(func() { l.room = semaphore.NewWeighted(largeTogether) })
	if err := l.room.Acquire(ctx, size); err != nil {
		return nil, fmt.Errorf("waiting for other large reviews to be judged: %w", err)
	}
	return func() { l.room.Release(size) }, nil
}

// uidPattern finds the UID in the form in which the API server writes a review.
func uidPattern() *regexp.Regexp {
	return regexp.MustCompile(`"request"\s*:\s*\{\s*"uid"\s*:\s*"([A-Za-z0-9-]{1,128})"`)
}

// requestOf returns as much of a request as the head of a review tells, nil where that holds no UID. With a UID
// the answer is one that the API server shows to people; a status of HTTP alone would hide the cause.
func requestOf(r *http.Request) *admissionv1.AdmissionRequest {
	head := make([]byte, headOfReview)
	n, err := io.ReadFull(r.Body, head)
	if err != nil && n == 0 {
		return nil
	}
	found := uidPattern().FindSubmatch(head[:n])
	if found == nil {
		return nil
	}
	return &admissionv1.AdmissionRequest{UID: types.UID(found[1])}
}
