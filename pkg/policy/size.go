package policy

import (
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

const (
	// maxContainers of one pod that are judged, and maxVolumes. Kubernetes has no limit of its own; a node takes some
	// hundred pods, and what it takes to judge a pod grows with its containers.
	maxContainers = 1000
	maxVolumes    = 4000
	// smallSpec is the length in bytes of a pod's spec that cannot hold so many with a name and an image.
	smallSpec = 8 << 10
)

// checkSize refuses a pod's spec that is too large to be judged, before it is decoded: whoever sends it chooses how
// much memory that takes.
func checkSize(spec []byte) error {
	if len(spec) <= smallSpec {
		return nil
	}
	members, err := rawjson.Pick(spec, "containers", "initContainers", "ephemeralContainers", "volumes")
	if err != nil {
		return err
	}
	counts := make([]int, len(members))
	for i, list := range members {
		if list == nil {
			continue
		}
		if counts[i], err = rawjson.Length(list); err != nil {
			return err
		}
	}
	if containers := counts[0] + counts[1] + counts[2]; containers > maxContainers {
		return fmt.Errorf("%d containers are too many to be judged: at most %d are", containers, maxContainers)
	}
	if volumes := counts[3]; volumes > maxVolumes {
		return fmt.Errorf("%d volumes are too many to be judged: at most %d are", volumes, maxVolumes)
	}
	return nil
}
