package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/configuration"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

// settings are what images are judged by.
type settings struct {
	environments []v1alpha1.Environment
	policies     []v1alpha1.ImagePolicy
}

// settings reads those of the files, else those of the cluster. They hold at least one ImagePolicy.
func (o *Options) settings(ctx context.Context) (*settings, error) {
	if len(o.Config) > 0 {
		return fromFiles(ctx, o.Config)
	}
	environments, err := o.connection.Environments(ctx)
	if err != nil {
		return nil, err
	}
	policies, err := o.connection.ImagePolicies(ctx)
	if err != nil {
		return nil, err
	}
	if len(policies) == 0 {
		return nil, errors.New("there is no ImagePolicy yet, so no image can be verified: `kubectl explain imagepolicy.spec` tells how one is written, --config PATH tries one out")
	}
	return &settings{environments: environments, policies: policies}, nil
}

// fromFiles reads directories and files.
func fromFiles(ctx context.Context, paths []string) (*settings, error) {
	loader, err := files.NewLoader()
	if err != nil {
		return nil, err
	}
	set, err := configuration.Read(ctx, loader, paths)
	if err != nil {
		return nil, err
	}
	if len(set.ImagePolicies) == 0 {
		return nil, fmt.Errorf("--config %s holds no ImagePolicy", strings.Join(paths, ", "))
	}
	return &settings{environments: set.Environments, policies: set.ImagePolicies}, nil
}

// pick leaves the ImagePolicies that were named. One that does not exist is an error that lists those that do.
func (c *settings) pick(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var picked []v1alpha1.ImagePolicy
	var missing []string
	for _, name := range names {
		at := slices.IndexFunc(c.policies, func(p v1alpha1.ImagePolicy) bool { return p.Name == name })
		if at < 0 {
			missing = append(missing, fmt.Sprintf("%q", name))
			continue
		}
		picked = append(picked, c.policies[at])
	}
	if len(missing) > 0 {
		return fmt.Errorf("ImagePolicy %s does not exist, there are: %s", strings.Join(missing, ", "), strings.Join(c.policyNames(), ", "))
	}
	c.policies = picked
	return nil
}

// environmentNames are those of Environments and those that policies name, sorted.
func (c *settings) environmentNames() []string {
	var names []string
	for i := range c.environments {
		names = append(names, c.environments[i].Name)
	}
	for i := range c.policies {
		names = append(names, c.policies[i].Spec.Environments...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *settings) policyNames() []string {
	var names []string
	for i := range c.policies {
		names = append(names, c.policies[i].Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// degrees says what each Environment does about images that do not satisfy its policies.
func (c *settings) degrees() map[string]Enforcement {
	degrees := map[string]Enforcement{}
	for i := range c.environments {
		spec := c.environments[i].Spec
		switch {
		case spec.Rules.Signatures == nil:
			degrees[c.environments[i].Name] = NotAsked
		case spec.Rules.Signatures.Enforcement != "":
			degrees[c.environments[i].Name] = Enforcement(spec.Rules.Signatures.Enforcement)
		case spec.Enforcement != "":
			degrees[c.environments[i].Name] = Enforcement(spec.Enforcement)
		default:
			degrees[c.environments[i].Name] = Enforcement(v1alpha1.EnforcementEnforce)
		}
	}
	return degrees
}
