package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// AnnotationAbort on a Release asks whoever drives it to take it back; the value is the reason.
const AnnotationAbort = v1alpha1.GroupName + "/abort"

// maxName is the limit of a Service's name, the shortest of the objects that carry a Release's name.
const maxName = 63

// numberRoom is what a Release's name keeps free for "-" and its number.
const numberRoom = 8

// NamePrefix is what the names of all Releases of a workload start with: the workload's name and a
// dash. A name too long for a Service is cut and told apart by a hash.
func NamePrefix(workload string) string {
	if len(workload) <= maxName-numberRoom {
		return workload + "-"
	}
	sum := sha256.Sum256([]byte(workload))
	return workload[:maxName-numberRoom-9] + "-" + hex.EncodeToString(sum[:4]) + "-"
}

// NextName returns the name for a workload's next Release: one more than the highest number in use.
// Taken holds the names of Releases, Deployments and Services of the namespace.
func NextName(workload string, taken []string) string {
	prefix := NamePrefix(workload)
	highest := 0
	for _, name := range taken {
		if n, ok := number(prefix, name); ok && n > highest {
			highest = n
		}
	}
	return prefix + strconv.Itoa(highest+1)
}

// Number returns the number in a Release's name, and whether the name has the form of NextName.
func Number(workload, name string) (int, bool) {
	return number(NamePrefix(workload), name)
}

func number(prefix, name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) > numberRoom-1 {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || strconv.Itoa(n) != digits {
		return 0, false
	}
	return n, true
}

// LeaseName is the name of the Lease that keeps a second driver away from a Deployment.
func LeaseName(workload string) string {
	return fmt.Sprintf("rune-deployment-%s", workload)
}

// ReasonGivenUp is the reason of the condition RolledBack where the workload was left as another hand
// made it, so that nothing was rolled back.
const ReasonGivenUp = "GivenUp"

// GivenUp tells whether a release ended so.
func GivenUp(r *v1alpha1.Release) bool {
	c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionRolledBack)
	return c != nil && c.Reason == ReasonGivenUp
}
