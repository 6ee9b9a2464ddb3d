package analysis

import "fmt"

// SmokeResult counts the answers to one smoke test.
type SmokeResult struct {
	Name string
	// Passed of Total requests; all must pass.
	Passed, Total int
	// Failure describes the first request that did not pass: "GET /health answered 500, want 200".
	Failure string
}

// Verdict is Pass when all requests passed, Hold when none was sent, else Fail.
func (r SmokeResult) Verdict() Verdict {
	switch {
	case r.Total == 0:
		return Hold
	case r.Passed == r.Total:
		return Pass
	default:
		return Fail
	}
}

// String is one line for people.
func (r SmokeResult) String() string {
	if r.Passed == r.Total {
		return fmt.Sprintf("%s: %d of %d passed", r.Name, r.Passed, r.Total)
	}
	return fmt.Sprintf("%s: failed %d of %d: %s", r.Name, r.Total-r.Passed, r.Total, r.Failure)
}
