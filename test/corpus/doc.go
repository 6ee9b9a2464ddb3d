// Package corpus holds the objects by which the three doors of the policy are compared: suites of cases, each
// an Environment's rules with pod templates that keep or break them, spread over every kind that holds pods, and
// what is expected of each.
//
// It judges nothing. Its own test asks pkg/policy about every object; the tests of test/e2e ask a real API
// server, `kubectl rune check` and `kubectl rune audit` about the same ones.
//
// The cases lie in testdata, one file for each suite; Write makes manifests of them, as files that kubectl and
// `kubectl rune check -f` read.
package corpus
