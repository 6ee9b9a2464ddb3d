// Package report holds what a judgement of many objects found, and writes it: as a table for people, as
// JSON and YAML for scripts, as SARIF 2.1.0 and JUnit XML for code review and CI, and as annotations for
// GitHub. `kubectl rune check` and `kubectl rune audit` share it.
//
// It judges nothing and reads nothing; which exit code a report means is said by Report.Fails.
package report
