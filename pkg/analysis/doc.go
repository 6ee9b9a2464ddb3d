// Package analysis judges new pods by what was observed of them: pod states and smoke test results
// go in, Pass, Fail or Hold with the evidence comes out.
//
// It is pure: it measures nothing and reads no clock.
package analysis
