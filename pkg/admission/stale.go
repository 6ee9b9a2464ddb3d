package admission

import (
	"fmt"
	"maps"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// maxStaleWarnings leave room for other warnings: a Pod has few images, and those of one registry fail alike.
const maxStaleWarnings = 4

// staleImages says which images were judged by earlier answers, and why.
func staleImages(facts map[string]policy.ImageFact) []string {
	var texts []string
	for _, reference := range slices.Sorted(maps.Keys(facts)) {
		if stale := facts[reference].Stale; stale != "" {
			texts = append(texts, staleText(reference, stale))
		}
	}
	return texts
}

func staleText(reference, cause string) string { return fmt.Sprintf("image %q: %s", reference, cause) }

// staleWarnings tell the user that an outage is why nothing newer was asked.
func staleWarnings(environment string, stale []string) []string {
	var texts []string
	for i, text := range stale {
		if i == maxStaleWarnings {
			return append(texts, fmt.Sprintf("environment %q: %d more images were judged by earlier answers", environment, len(stale)-i))
		}
		texts = append(texts, bounded(fmt.Sprintf("environment %q: %s", environment, text), maxWarning))
	}
	return texts
}
