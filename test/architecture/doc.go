// Package architecture holds the rules that keep Rune's packages apart, and judges the source tree by
// them: who may import whom, who may read a clock, what the module may require, how long a file or a
// function may grow.
//
// It reads what `go list -deps` and the parser say. It knows nothing of behavior, and a package that
// does not exist yet breaks no rule. depguard in .golangci.yaml shows the same import directions in
// an editor.
package architecture
