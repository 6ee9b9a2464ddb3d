// Package readiness brings a started control plane to the state that a caller
// may rely on, and waits for it: every wait has a bound, says what it waits for
// and names the component that is to blame.
package readiness
