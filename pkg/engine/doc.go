// Package engine runs a release's steps through ports that it declares.
//
// It is one loop that knows no strategy: package release says which steps a release has, this package
// holds one implementation per kind of step, each with an idempotent Apply and Revert. The loop takes
// the workload's Lease, writes what it is about to do into the Release's status, does it, writes the
// outcome, and goes on; whoever resumes after a crash ends in the same state.
//
// The API for commands:
//
//	e := engine.New(cluster.Ports(), engine.Options{Identity: "anna@laptop", OnEvent: print})
//	rel, err := e.Request(ctx, engine.Request{...})  // preflight, then creates the Release; changes nothing else
//	res, err := e.Run(ctx, rel)                      // starts or resumes
//	res, err := e.Abort(ctx, rel, engine.AbortOptions{Reason: "..."})
//
// Errors of Request that a command tells apart with errors.As: NotInstalledError, RightsError,
// WorkloadError, InFlightError, UnreadableError, PolicyError, SameTemplateError. Run and Abort return a
// HeldError where a living driver holds the Lease, and a DeletedError where the Release was deleted under
// its driver. A Result says how a release ended or why it waits.
//
// The engine imports pure packages only. It has no client, prints nothing and reads time from a clock.
package engine
