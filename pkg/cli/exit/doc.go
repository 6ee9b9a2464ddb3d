// Package exit turns the error that a command returned into what a shell sees: one exit code and
// one message on stderr.
//
// It is the only place that knows exit codes. It retries nothing and prints nothing on stdout.
package exit
