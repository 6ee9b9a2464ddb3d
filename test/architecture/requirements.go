package architecture

import (
	"fmt"
	"slices"
	"strings"
)

// CheckRequirements returns one line for each module that the main module must not require, directly
// or not: Kubernetes itself, and the embedded cluster that is built from it.
func CheckRequirements(required []string) []string {
	var violations []string
	for _, path := range required {
		if path == "k8s.io/kubernetes" || strings.HasPrefix(path, Module+"/test/") {
			violations = append(violations, fmt.Sprintf(
				"go.mod requires %s: tests run the embedded cluster's program and read its JSON", path))
		}
	}
	slices.Sort(violations)
	return violations
}
