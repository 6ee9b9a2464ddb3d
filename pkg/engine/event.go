package engine

import (
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/analysis"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// EventType says what an Event reports.
type EventType string

// The types of events.
const (
	// EventStep: a step began (State Running or Reverting) or ended (Done, Failed, Reverted).
	EventStep EventType = "Step"
	// EventWaiting: a step waits; Message says for what. Sent when the text changes.
	EventWaiting EventType = "Waiting"
	// EventWeight: both sides have the pods of a weight; Weight and Pods are set.
	EventWeight EventType = "Weight"
	// EventSmoke: a smoke test was run; Smoke is set.
	EventSmoke EventType = "Smoke"
	// EventTrouble: a pod, or a check, is not well; Message says which and why.
	EventTrouble EventType = "Trouble"
	// EventLease: another driver holds the Lease; Message names it.
	EventLease EventType = "Lease"
	// EventRetry: a request did not succeed and is sent again; Message is the error.
	EventRetry EventType = "Retry"
	// EventWarning: something a person should know; nothing stops for it.
	EventWarning EventType = "Warning"
	// EventAborting: the release is being taken back; Message is the reason.
	EventAborting EventType = "Aborting"
	// EventEnded: the release ended; Message is its last line.
	EventEnded EventType = "Ended"
)

// Pods counts ready pods of both sides.
type Pods struct {
	Stable, Canary int32
}

// Event is progress for people.
type Event struct {
	Type    EventType
	Time    time.Time
	Release string
	// Step's name, where the event belongs to one, and its State.
	Step  string
	State v1alpha1.StepState
	// Message is one line without a full stop.
	Message string
	Weight  *v1alpha1.Weight
	Pods    *Pods
	Smoke   *analysis.SmokeResult
}

// Outcome says how Run or Abort ended.
type Outcome string

// The outcomes, each of which is an exit code of the commands.
const (
	// OutcomeSucceeded: the workload has the new template (exit code 0).
	OutcomeSucceeded Outcome = "Succeeded"
	// OutcomeRolledBack: the workload is as it was before (exit code 2).
	OutcomeRolledBack Outcome = "RolledBack"
	// OutcomeAwaitingApproval: nothing changed, another person has to approve (exit code 3).
	OutcomeAwaitingApproval Outcome = "AwaitingApproval"
	// OutcomeStopped: another hand changed the workload; a person has to choose (exit code 3).
	OutcomeStopped Outcome = "Stopped"
)

// Result is what became of a release.
type Result struct {
	Outcome Outcome
	// Release as last written.
	Release *v1alpha1.Release
	// Message is the reason in one line.
	Message string
	// Next are the commands that go on from here, with what each does, one per line; empty where
	// nothing is left to do.
	Next []string
	// TimedOut tells that the release was taken back because its deadline passed.
	TimedOut bool
	// Kept tells that the workload was left as another hand made it: nothing was rolled back.
	Kept bool
	// Denied is set where a denial by admission is the reason.
	Denied *PolicyError
}
