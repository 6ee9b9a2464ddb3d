package policy

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// ImageSlot is one place of a subject that names an image.
type ImageSlot struct {
	// Field is its path from the object's root: "spec.template.spec.containers[0].image".
	Field string
	// Pointer is its JSON pointer (RFC 6901) from the pod's or template's root: "/spec/containers/0/image".
	Pointer string
	// Image is the reference as it stands there.
	Image string
	// Owner names the container or volume: `container "app"`. It is unique within a pod.
	Owner string
}

// containerSlot is one container of a subject, of any list.
type containerSlot struct {
	list  string
	index int
	// owner names it to people: `container "app"`.
	owner string
	// container is part of the subject.
	container *corev1.Container
}

// containers returns ordinary and init containers; with ephemeral, those of a running Pod too.
func (s *Subject) containers(ephemeral bool) []containerSlot {
	slots := make([]containerSlot, 0, len(s.Spec.Containers)+len(s.Spec.InitContainers)+len(s.Spec.EphemeralContainers))
	for i := range s.Spec.Containers {
		c := &s.Spec.Containers[i]
		slots = append(slots, containerSlot{"containers", i, "container " + strconv.Quote(c.Name), c})
	}
	for i := range s.Spec.InitContainers {
		c := &s.Spec.InitContainers[i]
		slots = append(slots, containerSlot{"initContainers", i, "init container " + strconv.Quote(c.Name), c})
	}
	if !ephemeral {
		return slots
	}
	for i := range s.Spec.EphemeralContainers {
		c := (*corev1.Container)(&s.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		slots = append(slots, containerSlot{"ephemeralContainers", i, "ephemeral container " + strconv.Quote(c.Name), c})
	}
	return slots
}

// Images returns every place that names an image: init, ephemeral and ordinary containers and image
// volumes, also such where the name is missing.
func (s *Subject) Images() []ImageSlot {
	containers := s.containers(true)
	slots := make([]ImageSlot, 0, len(containers))
	for i := range containers {
		c := &containers[i]
		index := strconv.Itoa(c.index)
		slots = append(slots, ImageSlot{
			Field:   s.Field("spec." + c.list + "[" + index + "].image"),
			Pointer: "/spec/" + c.list + "/" + index + "/image",
			Image:   c.container.Image,
			Owner:   c.owner,
		})
	}
	for i := range s.Spec.Volumes {
		volume := &s.Spec.Volumes[i]
		if volume.Image == nil {
			continue
		}
		slots = append(slots, ImageSlot{
			Field:   s.Field(fmt.Sprintf("spec.volumes[%d].image.reference", i)),
			Pointer: "/spec/volumes/" + strconv.Itoa(i) + "/image/reference",
			Image:   volume.Image.Reference,
			Owner:   fmt.Sprintf("volume %q", volume.Name),
		})
	}
	return slots
}

// ImagesWithoutDigest returns the places whose image is a tag, which may name another image tomorrow, or
// cannot be read.
func (s *Subject) ImagesWithoutDigest() []ImageSlot {
	var slots []ImageSlot
	for _, slot := range s.Images() {
		if ref, err := image.Parse(slot.Image); err != nil || ref.Digest == "" {
			slots = append(slots, slot)
		}
	}
	return slots
}

// UnsettledImages returns the places whose image is to be judged: all but those that the same Pod runs already.
func (s *Subject) UnsettledImages() []ImageSlot {
	var slots []ImageSlot
	for _, slot := range s.Images() {
		if !s.Settled[slot.Field] {
			slots = append(slots, slot)
		}
	}
	return slots
}

// SettleFrom marks the images that stand unchanged in the Pod's former state. Only a Pod has settled
// images: a template that changes is judged as a whole, since new pods come of it.
func (s *Subject) SettleFrom(old *Subject) {
	if !s.IsPod() || !old.IsPod() {
		return
	}
	former := map[string]string{}
	for _, slot := range old.Images() {
		former[slot.Owner] = slot.Image
	}
	s.Settled = map[string]bool{}
	for _, slot := range s.Images() {
		if reference, found := former[slot.Owner]; found && reference == slot.Image {
			s.Settled[slot.Field] = true
		}
	}
}
