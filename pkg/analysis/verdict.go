package analysis

// Verdict is the outcome of a judgement.
type Verdict string

// The verdicts.
const (
	// Pass: what was looked at is good.
	Pass Verdict = "Pass"
	// Fail: the release must be taken back.
	Fail Verdict = "Fail"
	// Hold: not enough is known; it never advances a release.
	Hold Verdict = "Hold"
)
