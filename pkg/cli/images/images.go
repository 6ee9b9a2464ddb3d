package images

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// all stands for every container of a template.
const all = "*"

// only stands for the one container of a template that has no other.
const only = ""

// Set maps containers to references. The key "*" means every container, "" the only one.
type Set map[string]string

// Parse reads the values of --image: CONTAINER=REFERENCE, *=REFERENCE, or just REFERENCE where the
// template has one container. All mistakes are told at once.
func Parse(values []string) (Set, error) {
	set := Set{}
	var problems []string
	for _, value := range values {
		container, reference, named := strings.Cut(value, "=")
		if !named {
			container, reference = only, value
		} else if container == "" {
			problems = append(problems, fmt.Sprintf("--image %q: the container's name is missing before =", value))
			continue
		}
		if _, err := image.Parse(reference); err != nil {
			problems = append(problems, fmt.Sprintf("--image %q: %s", value, err))
			continue
		}
		if _, twice := set[container]; twice {
			problems = append(problems, fmt.Sprintf("--image %q: the container has an image already", value))
			continue
		}
		set[container] = reference
	}
	if _, mixed := set[only]; mixed && len(set) > 1 {
		problems = append(problems, "--image: name the container of each image, as in web=registry.example.com/web:v2")
	}
	if _, mixed := set[all]; mixed && len(set) > 1 {
		problems = append(problems, "--image: *= gives every container an image, so no other --image fits beside it")
	}
	if len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	return set, nil
}

// Apply writes the references into a template. Init containers are reached by name only.
func (s Set) Apply(template *corev1.PodTemplateSpec) error {
	if reference, ok := s[all]; ok {
		for i := range template.Spec.Containers {
			template.Spec.Containers[i].Image = reference
		}
		return nil
	}
	if reference, ok := s[only]; ok {
		if n := len(template.Spec.Containers); n != 1 {
			return fmt.Errorf("the deployment has %d containers (%s): name one, as in --image %s=%s",
				n, strings.Join(names(template), ", "), template.Spec.Containers[0].Name, reference)
		}
		template.Spec.Containers[0].Image = reference
		return nil
	}
	var unknown []string
	for container, reference := range s {
		if !set(template.Spec.Containers, container, reference) && !set(template.Spec.InitContainers, container, reference) {
			unknown = append(unknown, fmt.Sprintf("%q", container))
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("the deployment has no container %s, only %s", strings.Join(unknown, ", "), strings.Join(names(template), ", "))
	}
	return nil
}

func set(containers []corev1.Container, name, reference string) bool {
	for i := range containers {
		if containers[i].Name == name {
			containers[i].Image = reference
			return true
		}
	}
	return false
}

func names(template *corev1.PodTemplateSpec) []string {
	var list []string
	for _, c := range append(append([]corev1.Container(nil), template.Spec.InitContainers...), template.Spec.Containers...) {
		list = append(list, c.Name)
	}
	sort.Strings(list)
	return list
}
