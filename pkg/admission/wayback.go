package admission

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// The way back is open as long as an approved release can be in flight: it may begin until its approvals
// expire, and its deadline runs from there. The driver begins to take a release back at the deadline, and
// must still be able to then, hence the grace. The deadline is the requester's choice, so it counts up to
// longestFlight only.
const (
	wayBackGrace  = time.Hour
	longestFlight = 24 * time.Hour
)

// wayBack keeps the return to the former template open while an approved release may be in flight,
// whatever its status says. The same people must have approved that let the release in, or else a Release
// that anyone may request would be a rollback that nobody approved; that an approval expired meanwhile does
// not matter. Where the way back of a named Release is closed, it says why.
func (j *Judge) wayBack(ctx context.Context, environment *v1alpha1.Environment, c *candidate, object *metav1.ObjectMeta, hash string, names []string) (exempt, closed string, err error) {
	if c.old == nil || c.subject.Kind != deploymentKind().GroupKind() {
		return "", "", nil
	}
	former, err := templatehash.OfJSON(c.old.Template)
	if err != nil {
		return "", "", fmt.Errorf("reading the former state: %w", err)
	}
	for _, name := range names {
		release, problem, err := j.findRelease(ctx, environment.Name, c.request.Namespace, name)
		if err != nil {
			return "", "", err
		}
		if problem != "" || !isWorkloadOf(release, c.subject.Kind, c.subject.Name, object.UID) {
			continue
		}
		from, to, err := release.hashes()
		if err != nil {
			return "", "", err
		}
		if hash != from || former != to {
			continue
		}
		if closed, err = j.wayBackClosed(ctx, *environment.Spec.Rules.Approval, release, to); err != nil {
			return "", "", err
		}
		if closed == "" {
			return fmt.Sprintf("the way back of Release %q", name), "", nil
		}
	}
	return "", closed, nil
}

// wayBackClosed says why a Release opens no way back at this time; empty if it does.
func (j *Judge) wayBackClosed(ctx context.Context, rules v1alpha1.ApprovalRules, release *releaseRecord, to string) (string, error) {
	fact, err := j.consentTo(ctx, release, to)
	if err != nil {
		return "", err
	}
	next := fmt.Sprintf("go back with `kubectl rune rollback deployment/%s -n %s`", release.Spec.Workload.Name, release.Namespace)
	start, enough := policy.ApprovedAt(rules, *fact)
	if !enough {
		return fmt.Sprintf("Release %q opens no way back, because too few people approved it: %s", release.Name, next), nil
	}
	if created := release.CreationTimestamp.Time; created.After(start) {
		start = created
	}
	end := start.Add(policy.Validity(rules) + min(deadlineOf(&release.Release), longestFlight) + wayBackGrace)
	if !j.Clock.Now().Before(end) {
		return fmt.Sprintf("the way back of Release %q closed at %s: %s", release.Name, end.UTC().Format(time.RFC3339), next), nil
	}
	return "", nil
}
