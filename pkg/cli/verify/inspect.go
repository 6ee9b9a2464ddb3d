package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// maxConcurrent questions that are asked at the same time about one image, and images that are asked about.
const maxConcurrent = 8

// inspector asks about images.
type inspector struct {
	images admission.Images
	clock  clock.PassiveClock
	access image.Access
	// environment that alone is asked for; empty for all.
	environment string
	// named tells that policies were picked by name, so that the others count for nothing.
	named    bool
	policies []compiled
	// degrees of the environments that are known, by name.
	degrees map[string]Enforcement
}

// compiled is an ImagePolicy made ready, or why it cannot be.
type compiled struct {
	policy      *v1alpha1.ImagePolicy
	requirement *proof.Requirement
	err         error
}

// compile prepares policies, sorted by name. One that cannot be read is kept with its error: admission refuses what it
// might be about.
func compile(policies []v1alpha1.ImagePolicy) ([]compiled, error) {
	compiler, err := proof.NewCompiler()
	if err != nil {
		return nil, fmt.Errorf("preparing to judge images: %w", err)
	}
	list := make([]compiled, len(policies))
	for i := range policies {
		list[i].policy = &policies[i]
		list[i].requirement, list[i].err = compiler.Compile(&policies[i])
	}
	slices.SortFunc(list, func(a, b compiled) int { return strings.Compare(a.policy.Name, b.policy.Name) })
	return list, nil
}

// covers tells whether a policy is about an image in an environment, or might be.
func (c *compiled) covers(environment string, ref image.Reference) bool {
	if c.err != nil {
		return slices.Contains(c.policy.Spec.Environments, environment)
	}
	return c.requirement.Covers(environment, ref)
}

// all asks about images side by side and answers in their order.
func (i *inspector) all(ctx context.Context, references []string) *Report {
	images := make([]Image, len(references))
	var group errgroup.Group
	group.SetLimit(maxConcurrent)
	for n, reference := range references {
		group.Go(func() error {
			images[n] = i.image(ctx, reference)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return &Report{APIVersion: v1alpha1.GroupVersion().String(), Kind: Kind, Summary: summary(images), Images: images}
}

// image asks about one.
func (i *inspector) image(ctx context.Context, text string) Image {
	answer := Image{Image: text, Result: Unknown, Environments: []Environment{}}
	ref, err := image.Parse(text)
	if err != nil {
		answer.Error = err.Error()
		return answer
	}
	answer.Reference, answer.Digest = ref.String(), ref.Digest
	// Where no policy covers an image nothing that its registry could say would help.
	if ref.Digest == "" && i.covered(ref) {
		resolution, err := i.images.Resolve(ctx, i.access, ref)
		if err != nil {
			answer.Result, answer.Error = failed(err), err.Error()
			answer.Next = i.unresolved(ref, err)
			return answer
		}
		answer.Digest, answer.Stale = resolution.Digest, resolution.Stale
		ref = ref.WithDigest(resolution.Digest)
	}
	i.judge(ctx, ref, &answer)
	return answer
}

// judge asks every policy that covers an image in the environments that are asked for.
func (i *inspector) judge(ctx context.Context, ref image.Reference, answer *Image) {
	for _, name := range i.environments(ref) {
		answer.Environments = append(answer.Environments, i.inEnvironment(ctx, name, ref))
	}
	if i.environment == "" && !i.named {
		answer.Uncovered = i.uncovered(ref)
	}
	answer.Result = NoPolicy
	for n := range answer.Environments {
		if n == 0 {
			answer.Result = answer.Environments[n].Result
		}
		answer.Result = worse(answer.Result, answer.Environments[n].Result)
	}
	answer.Next = i.next(ref, answer)
}

// environments that have a policy which covers the image, sorted; or the one that is asked for.
func (i *inspector) environments(ref image.Reference) []string {
	if i.environment != "" {
		return []string{i.environment}
	}
	names := map[string]bool{}
	for n := range i.policies {
		for _, name := range i.policies[n].policy.Spec.Environments {
			if i.policies[n].covers(name, ref) {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// covered tells whether a policy covers an image in an environment that is asked for.
func (i *inspector) covered(ref image.Reference) bool {
	for _, name := range i.environments(ref) {
		if slices.ContainsFunc(i.policies, func(c compiled) bool { return c.covers(name, ref) }) {
			return true
		}
	}
	return false
}

// uncovered environments ask for signatures that nothing could satisfy.
func (i *inspector) uncovered(ref image.Reference) []Uncovered {
	var found []Uncovered
	for _, name := range slices.Sorted(maps.Keys(i.degrees)) {
		covers := func(c compiled) bool { return c.covers(name, ref) }
		if i.degrees[name] != NotAsked && !slices.ContainsFunc(i.policies, covers) {
			found = append(found, Uncovered{Name: name, Enforcement: i.degrees[name]})
		}
	}
	return found
}

// inEnvironment asks the policies of one environment side by side: they share what the registry answers.
func (i *inspector) inEnvironment(ctx context.Context, name string, ref image.Reference) Environment {
	answer := Environment{Name: name, Enforcement: cmp.Or(i.degrees[name], NoEnvironment), Result: NoPolicy}
	var covering []compiled
	for _, c := range i.policies {
		if c.covers(name, ref) {
			covering = append(covering, c)
		}
	}
	answer.Policies = make([]Policy, len(covering))
	var group errgroup.Group
	group.SetLimit(maxConcurrent)
	for n := range covering {
		group.Go(func() error {
			answer.Policies[n] = i.ask(ctx, &covering[n], name, ref)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	for n := range answer.Policies {
		if n == 0 {
			answer.Result = answer.Policies[n].Result
		}
		answer.Result = worse(answer.Result, answer.Policies[n].Result)
	}
	return answer
}

// ask asks one policy.
func (i *inspector) ask(ctx context.Context, c *compiled, environment string, ref image.Reference) Policy {
	spec := c.policy.Spec
	answer := Policy{Name: c.policy.Name, Require: cmp.Or(spec.Require, v1alpha1.RequireAny), source: c.policy}
	if spec.AtLeast != nil {
		answer.AtLeast = *spec.AtLeast
	}
	if c.err != nil {
		answer.Result, answer.Error = Unknown, c.err.Error()
		return answer
	}
	finding, err := i.images.Verify(ctx, proof.Question{
		Image: ref, Requirement: c.requirement, Access: i.access, Environment: environment, Now: i.clock.Now(),
	})
	if err != nil {
		answer.Result, answer.Error = failed(err), err.Error()
		return answer
	}
	answer.Result = NotSatisfied
	if finding.Outcome.Satisfied {
		answer.Result = Satisfied
	}
	answer.Stale, answer.CollectedAt = finding.Stale, finding.Evidence.CollectedAt
	answer.Reasons, answer.Attestations = finding.Outcome.Reasons, finding.Outcome.Attestations
	answer.Rejected = finding.Evidence.Rejected
	for _, outcome := range finding.Outcome.Authorities {
		answer.Authorities = append(answer.Authorities, Authority{AuthorityOutcome: outcome, Trusts: trusts(spec, outcome.Name)})
	}
	return answer
}

// failed tells an image that does not exist from a registry that gave no answer.
func failed(err error) Result {
	if errors.Is(err, image.ErrNotExist) {
		return NoImage
	}
	return Unknown
}

// trusts says of which sort an authority of a policy is.
func trusts(spec v1alpha1.ImagePolicySpec, name string) string {
	if authority := authorityNamed(spec, name); authority != nil && authority.Keyless != nil {
		return trustsKeyless
	}
	return trustsKey
}

// authorityNamed returns an authority of a policy, nil where it has none of the name.
func authorityNamed(spec v1alpha1.ImagePolicySpec, name string) *v1alpha1.Authority {
	at := slices.IndexFunc(spec.Authorities, func(a v1alpha1.Authority) bool { return a.Name == name })
	if at < 0 {
		return nil
	}
	return &spec.Authorities[at]
}
