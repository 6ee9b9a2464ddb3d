// Package supervise runs the components of one cluster as children, in order,
// until one of them ends: then it says which and ends itself, and they with it.
// It restarts nothing: a component that dies in a test is a finding.
package supervise
