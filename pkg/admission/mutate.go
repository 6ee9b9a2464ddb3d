package admission

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// mutate adds what must not or need not come from the client.
func (j *Judge) mutate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	kind := groupKind(request)
	if request.Operation != admissionv1.Create && request.Operation != admissionv1.Update {
		return decision{}, nil
	}
	creates := request.SubResource == "" && request.Operation == admissionv1.Create
	switch kind {
	case releaseKind().GroupKind():
		return j.stamp(ctx, environment, request, creates, j.stampRelease)
	case approvalKind().GroupKind():
		return j.stamp(ctx, environment, request, creates, j.stampApproval)
	case exemptionKind().GroupKind():
		return j.stamp(ctx, environment, request, creates, j.stampExemption)
	case appsKind("ControllerRevision").GroupKind():
		return decision{}, nil
	}
	if !judgedSubresource(request.SubResource) {
		return decision{}, nil
	}
	return j.complete(ctx, environment, request)
}

// complete adds to a new Pod what the environment's defaults say, and writes digests. Where a tag cannot be
// resolved it writes none: the validating side refuses the object and tells the cause. The pod template of a
// workload gets digests only, and only where they are asked for there.
func (j *Judge) complete(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	c, err := j.readCandidate(ctx, name, request)
	if c == nil {
		return decision{}, err
	}
	d := c.decide()
	if err != nil || !c.scope.needsFacts() {
		return d, err
	}
	d.judged = true
	if pins(c.environment, c.subject.IsPod()) {
		if d.patch, d.stale, err = j.pin(ctx, c); err != nil {
			return d, err
		}
	}
	if !c.subject.IsPod() || request.Operation != admissionv1.Create {
		return d, nil
	}
	completion, err := c.ruleset.Complete(c.subject)
	if err != nil {
		return d, err
	}
	for _, addition := range completion.Additions {
		d.patch = append(d.patch, jsonpatch.NewOperation("add", addition.Pointer, addition.Value))
	}
	return d, nil
}

// pin returns the operations that write the digest of every image that a Pod does not run already, or of every
// image of a workload whose pod template may be changed.
func (j *Judge) pin(ctx context.Context, c *candidate) (patch []jsonpatch.Operation, stale []string, err error) {
	slots := slices.DeleteFunc(c.subject.UnsettledImages(), func(slot policy.ImageSlot) bool {
		ref, err := image.Parse(slot.Image)
		return err != nil || ref.Digest != ""
	})
	if len(slots) == 0 {
		return nil, nil, nil
	}
	if keeps, err := j.keepsTemplate(ctx, c); err != nil || keeps {
		return nil, nil, err
	}
	root := templatePointer(c.subject.TemplatePath)
	kept := keptDigests(c, slots)
	resolved, stale := j.resolved(ctx, c.access(), distinct(slices.DeleteFunc(slices.Clone(slots), func(slot policy.ImageSlot) bool { return kept[slot.Owner] != "" })))
	for _, slot := range slots {
		reference := kept[slot.Owner]
		if ref, found := resolved[slot.Image]; reference == "" && found {
			reference = ref.String()
		}
		if reference != "" {
			patch = append(patch, jsonpatch.NewOperation("replace", root+slot.Pointer, reference))
		}
	}
	return patch, stale, nil
}

// keptDigests returns, by the owner of the image, the references of a workload's former template that have the digest
// of the very tag that stands there now. Who applies a manifest again, with the tag in it, changes nothing: it would
// else roll out what the tag names by then, and could not be applied while the registry is away.
func keptDigests(c *candidate, slots []policy.ImageSlot) map[string]string {
	if c.old == nil || c.subject.IsPod() {
		return nil
	}
	former := map[string]string{}
	for _, slot := range c.old.Images() {
		former[slot.Owner] = slot.Image
	}
	kept := map[string]string{}
	for _, slot := range slots {
		ref, err := image.Parse(slot.Image)
		if err != nil {
			continue
		}
		was, err := image.Parse(former[slot.Owner])
		if err == nil && was.Digest != "" && ref.WithDigest(was.Digest) == was {
			kept[slot.Owner] = was.String()
		}
	}
	return kept
}

// templatePointer is the JSON pointer to a field path of names, which hold no character that needs escaping.
func templatePointer(path string) string {
	if path == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(path, ".", "/")
}

// resolved returns the references that have no digest with the one that their tag names now, and says which of these
// are earlier answers.
func (j *Judge) resolved(ctx context.Context, access image.Access, references []string) (byReference map[string]image.Reference, stale []string) {
	found := make([]image.Reference, len(references))
	earlier := make([]string, len(references))
	var group errgroup.Group
	group.SetLimit(maxConcurrentImages)
	for i, reference := range references {
		group.Go(func() error {
			ref, err := image.Parse(reference)
			if err != nil || ref.Digest != "" {
				return nil
			}
			if resolution, err := j.Images.Resolve(ctx, access, ref); err == nil {
				found[i], earlier[i] = ref.WithDigest(resolution.Digest), resolution.Stale
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	byReference = map[string]image.Reference{}
	for i, reference := range references {
		if found[i].Digest != "" {
			byReference[reference] = found[i]
		}
		if earlier[i] != "" {
			stale = append(stale, staleText(reference, earlier[i]))
		}
	}
	slices.Sort(stale)
	return byReference, stale
}
