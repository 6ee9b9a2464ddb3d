package drive

import "github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"

// words are how the end of a release is told on stdout, behind the workload.
type words struct {
	// succeeded: the workload has the new template.
	succeeded string
	// takenBack: the workload is as it was before; the reason follows.
	takenBack string
}

func wordsFor(action v1alpha1.Action) words {
	if action == v1alpha1.ActionRollback {
		return words{succeeded: "rolled back", takenBack: "rollback taken back"}
	}
	return words{succeeded: "promoted", takenBack: "rolled back"}
}
