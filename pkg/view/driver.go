package view

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// DriverState tells whether a process works on a release.
type DriverState string

// The states of a release's driver.
const (
	// DriverAlive: a process renews the Lease.
	DriverAlive DriverState = "Alive"
	// DriverGone: the release is unfinished and nobody renews the Lease.
	DriverGone DriverState = "Gone"
	// DriverNotNeeded: the release has ended, or waits for a person before anything was changed.
	DriverNotNeeded DriverState = "NotNeeded"
)

// DriverSummary is the process that drives a release.
type DriverSummary struct {
	State DriverState `json:"state"`
	// Identity of the process that holds or last held the Lease.
	Identity string `json:"identity,omitempty"`
	// LastSeen is how long ago the Lease was renewed, in seconds; absent where it never was.
	LastSeen *float64 `json:"lastSeenSeconds,omitempty"`
}

func driverOf(s *Snapshot) DriverSummary {
	driver := DriverSummary{State: DriverNotNeeded, Identity: s.Release.Status.Driver}
	live := false
	if lease := s.Lease; lease != nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" && lease.Spec.RenewTime != nil {
		silent := s.Now.Sub(lease.Spec.RenewTime.Time)
		passed := silent.Seconds()
		driver.LastSeen = &passed
		driver.Identity = *lease.Spec.HolderIdentity
		limit := 10 * time.Second
		if lease.Spec.LeaseDurationSeconds != nil {
			limit = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
		}
		live = silent < limit
	}
	switch {
	case s.Release.Ended():
		driver.LastSeen = nil
	case live:
		driver.State = DriverAlive
	case !needsPerson(s.Release.Status.Phase):
		driver.State = DriverGone
	}
	return driver
}

// needsPerson tells whether a release rests until a person acts.
func needsPerson(phase v1alpha1.Phase) bool {
	return phase == v1alpha1.PhaseAwaitingApproval || phase == v1alpha1.PhaseStopped
}

// guidance says what a person has to know and may do.
func guidance(s *Snapshot, summary *ReleaseSummary) (attention []string, next []NextCommand) {
	r := s.Release
	resume := NextCommand{"continue", commandFor("resume", r)}
	abort := NextCommand{"take back", commandFor("abort", r)}
	switch {
	case r.Ended():
		return nil, nil
	case summary.Phase == v1alpha1.PhaseAwaitingApproval && len(summary.Approvals) > 0:
		attention = []string{"APPROVED by " + approvers(summary.Approvals) + ", waiting to be continued: nothing has been changed yet"}
		next = []NextCommand{resume, {"approve (if more must)", commandFor("approve", r)}, {"withdraw", abort.Command}}
	case summary.Phase == v1alpha1.PhaseAwaitingApproval:
		attention = []string{"WAITING FOR APPROVAL: nothing has been changed yet"}
		next = []NextCommand{{"approve (another person)", commandFor("approve", r)}, resume, {"withdraw", abort.Command}}
	case summary.Phase == v1alpha1.PhaseStopped:
		attention = []string{"STOPPED: " + orNone(summary.Message)}
		if next = waysOut(r); len(next) == 0 {
			next = []NextCommand{resume, abort}
		}
	case summary.Driver.State == DriverGone:
		attention = []string{"NOBODY DRIVES THIS RELEASE: " + silence(summary.Driver) + "; nothing moves on by itself"}
		next = []NextCommand{resume, abort}
	default:
		next = []NextCommand{abort}
	}
	return attention, next
}

// waysOut returns the commands that the driver printed when it stopped; it wrote them behind the first
// line of the condition Progressing, each as "COMMAND   (what it does)".
func waysOut(r *v1alpha1.Release) []NextCommand {
	c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionProgressing)
	if c == nil || c.Reason != string(v1alpha1.PhaseStopped) {
		return nil
	}
	var next []NextCommand
	for _, line := range strings.Split(c.Message, "\n")[1:] {
		if command, what, found := strings.Cut(line, "   ("); found {
			what, _, _ = strings.Cut(strings.TrimSuffix(what, ")"), ":")
			what, _, _ = strings.Cut(what, ";")
			next = append(next, NextCommand{what, command})
		}
	}
	return next
}

// phaseOf is a release's phase in one word; a release that was given up was not rolled back.
func phaseOf(r *v1alpha1.Release) v1alpha1.Phase {
	switch {
	case r.Status.Phase == "":
		return v1alpha1.PhasePending
	case r.Status.Phase == v1alpha1.PhaseRolledBack && release.GivenUp(r):
		return release.ReasonGivenUp
	default:
		return r.Status.Phase
	}
}

func approvers(list []ApprovalSummary) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = orNone(a.Approver)
	}
	return strings.Join(names, ", ")
}

func silence(d DriverSummary) string {
	switch {
	case d.LastSeen == nil:
		return "no process holds its lease"
	case d.Identity == "":
		return fmt.Sprintf("its lease was last renewed %s ago", seconds(*d.LastSeen))
	default:
		return fmt.Sprintf("%s was last seen %s ago", d.Identity, seconds(*d.LastSeen))
	}
}
