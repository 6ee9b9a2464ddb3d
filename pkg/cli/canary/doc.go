// Package canary is the command `kubectl rune canary`.
//
// It reads flags, the plan and the environment, and hands a request to package drive. How a canary
// runs is the work of packages release and engine.
package canary
