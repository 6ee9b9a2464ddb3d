package drive

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// lacking names a user and all rights that are missing in one line, the verbs of a resource together.
func lacking(user string, missing []engine.Right) error {
	verbs := map[string][]string{}
	var resources, namespaces []string
	for _, right := range missing {
		resource := right.Resource
		if right.Group != "" {
			resource += "." + right.Group
		}
		if right.Subresource != "" {
			resource += "/" + right.Subresource
		}
		if !slices.Contains(resources, resource) {
			resources = append(resources, resource)
		}
		if !slices.Contains(verbs[resource], right.Verb) {
			verbs[resource] = append(verbs[resource], right.Verb)
		}
		if right.Namespace != "" && !slices.Contains(namespaces, right.Namespace) {
			namespaces = append(namespaces, right.Namespace)
		}
	}
	slices.Sort(resources)
	parts := make([]string, len(resources))
	for i, resource := range resources {
		slices.Sort(verbs[resource])
		parts[i] = strings.Join(verbs[resource], ", ") + " " + resource
	}
	place, flags := "", ""
	if len(namespaces) == 1 {
		place, flags = fmt.Sprintf(" in namespace %q", namespaces[0]), " -n "+namespaces[0]
	}
	return fmt.Errorf("user %q may not %s%s: ask for these rights, then check with `kubectl auth can-i --list%s`",
		user, strings.Join(parts, "; "), place, flags)
}
