package subject

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Kind is a kind that commands act on.
type Kind string

// The kinds.
const (
	Deployment Kind = "deployment"
	Release    Kind = "release"
)

// Subject is one named object.
type Subject struct {
	Kind Kind
	Name string
}

// String is the form with the API group that kubectl prints: "deployment.apps/web".
func (s Subject) String() string { return Qualified(s.Kind, s.Name) }

// Qualified is the form with the API group that kubectl prints: "release.rune.runeframeos.com/web-7".
func Qualified(kind Kind, name string) string {
	if kind == Release {
		return "release." + v1alpha1.GroupName + "/" + name
	}
	return "deployment.apps/" + name
}

// Parse reads the arguments of a command: one TYPE/NAME, or a TYPE and a NAME. Only the given kinds
// are accepted.
func Parse(args []string, accepted ...Kind) (Subject, error) {
	var kindName, name string
	switch {
	case len(args) == 1 && strings.Count(args[0], "/") == 1:
		kindName, name, _ = strings.Cut(args[0], "/")
	case len(args) == 2 && !strings.Contains(args[0], "/") && !strings.Contains(args[1], "/"):
		kindName, name = args[0], args[1]
	case len(args) == 0:
		return Subject{}, fmt.Errorf("what to act on is missing: write %s", forms(accepted))
	default:
		return Subject{}, fmt.Errorf("cannot read %q: write %s", strings.Join(args, " "), forms(accepted))
	}
	kind, known := kindOf(kindName)
	if !known || !slices.Contains(accepted, kind) {
		return Subject{}, fmt.Errorf("this command does not act on %q: write %s", kindName, forms(accepted))
	}
	if name == "" {
		return Subject{}, fmt.Errorf("the name of the %s is missing: write %s", kind, forms(accepted))
	}
	return Subject{Kind: kind, Name: name}, nil
}

// kindOf knows the names by which kubectl knows a kind: singular, plural, short, with a group.
func kindOf(name string) (Kind, bool) {
	base, group, grouped := strings.Cut(strings.ToLower(name), ".")
	switch base {
	case "deployment", "deployments", "deploy":
		return Deployment, !grouped || group == "apps" || strings.HasSuffix(group, ".apps")
	case "release", "releases", "rel":
		return Release, !grouped || strings.HasSuffix(group, v1alpha1.GroupName)
	}
	return "", false
}

func forms(accepted []Kind) string {
	names := make([]string, len(accepted))
	for i, kind := range accepted {
		names[i] = string(kind) + "/NAME"
	}
	return strings.Join(names, " or ")
}
