package view

import (
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Entry is one release in a deployment's history.
type Entry struct {
	Name        string            `json:"name"`
	Action      v1alpha1.Action   `json:"action"`
	Strategy    v1alpha1.Strategy `json:"strategy"`
	Phase       v1alpha1.Phase    `json:"phase"`
	RequestedBy string            `json:"requestedBy,omitempty"`
	// Revision of the deployment that has the release's template; 0 where none is left.
	Revision  int64       `json:"revision,omitempty"`
	Images    []Image     `json:"images"`
	Reason    string      `json:"reason,omitempty"`
	Message   string      `json:"message,omitempty"`
	CreatedAt metav1.Time `json:"createdAt"`
	age       time.Duration
}

// History lists releases in the order given, with the revisions that they brought.
func History(deployment *appsv1.Deployment, sets []appsv1.ReplicaSet, releases []v1alpha1.Release, now time.Time) []Entry {
	owned := release.OwnedBy(sets, deployment.UID)
	entries := make([]Entry, 0, len(releases))
	for i := range releases {
		r := &releases[i]
		entry := Entry{
			Name: r.Name, Action: r.Spec.Action, Strategy: r.Spec.Strategy, Phase: phaseOf(r),
			RequestedBy: r.Spec.RequestedBy.Username, Reason: r.Spec.Reason, Message: r.Status.Message,
			CreatedAt: r.CreationTimestamp, age: now.Sub(r.CreationTimestamp.Time),
		}
		if set := release.WithTemplate(owned, &r.Spec.To); set != nil {
			entry.Revision = release.Revision(set)
		}
		for _, c := range r.Spec.To.Spec.Containers {
			entry.Images = append(entry.Images, Image{Container: c.Name, Image: c.Image})
		}
		entries = append(entries, entry)
	}
	return entries
}

// HistoryLines prints a history as a table.
func HistoryLines(entries []Entry) []string {
	if len(entries) == 0 {
		return []string{"no releases yet"}
	}
	rows := [][]string{{"NAME", "ACTION", "PHASE", "REQUESTED-BY", "REVISION", "IMAGES", "REASON", "AGE"}}
	for _, e := range entries {
		revision := ""
		if e.Revision > 0 {
			revision = strconv.FormatInt(e.Revision, 10)
		}
		rows = append(rows, []string{
			e.Name, string(e.Action), string(e.Phase), orNone(e.RequestedBy), orNone(revision),
			orNone(imageList(e.Images)), orNone(e.Reason), Duration(e.age),
		})
	}
	return table(rows)
}

// imageList names the containers only where there is more than one.
func imageList(images []Image) string {
	parts := make([]string, len(images))
	for i, image := range images {
		parts[i] = Short(image.Image)
		if len(images) > 1 {
			parts[i] = image.Container + "=" + parts[i]
		}
	}
	return strings.Join(parts, ",")
}

// digestShown is how many hexadecimal digits of a digest tell images apart for a reader.
const digestShown = 12

// Short cuts the digest of a reference for a table.
func Short(reference string) string {
	name, digest, found := strings.Cut(reference, "@sha256:")
	if !found || len(digest) <= digestShown {
		return reference
	}
	return name + "@sha256:" + digest[:digestShown]
}

// table pads columns to equal width, three blanks apart, as kubectl does.
func table(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-len([]rune(cell))+3))
			}
		}
		lines[n] = line.String()
	}
	return lines
}
