package release_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func TestPinWritesTheDigestsOfThePodBehindTheTemplatesOwnReferences(t *testing.T) {
	template, err := release.ParseTemplate([]byte(`{"spec":{"fromTheFuture":{"port":8080},
		"initContainers":[{"name":"init","image":"init:v1"}],
		"containers":[{"name":"app","image":"web:v2"},{"name":"side","image":"side@sha256:aaaa"},{"name":"free","image":"free:v1"}],
		"volumes":[{"name":"tmp","emptyDir":{}},{"name":"model","image":{"reference":"model:v3"}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		`spec.template.spec.initContainers[0].image: "init:v1"`, `spec.template.spec.containers[0].image: "web:v2"`,
		`spec.template.spec.containers[2].image: "free:v1"`, `spec.template.spec.volumes[1].image.reference: "model:v3"`,
	}, release.Unpinned(&template.Typed)); diff != "" {
		t.Error(diff)
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "injected", Image: "mesh@sha256:9999"}, {Name: "init", Image: "init@sha256:1111"}},
		Containers:     []corev1.Container{{Name: "app", Image: "mirror/web:v2@sha256:2222"}, {Name: "side", Image: "side@sha256:bbbb"}, {Name: "free", Image: "free:v1"}},
		Volumes: []corev1.Volume{{Name: "model", VolumeSource: corev1.VolumeSource{
			Image: &corev1.ImageVolumeSource{Reference: "model@sha256:3333"}}}},
	}}
	pinned, err := release.Pin(template, pod)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"spec":{"containers":[{"image":"web:v2@sha256:2222","name":"app"},{"image":"side@sha256:aaaa","name":"side"},{"image":"free:v1","name":"free"}],` +
		`"fromTheFuture":{"port":8080},"initContainers":[{"image":"init:v1@sha256:1111","name":"init"}],` +
		`"volumes":[{"emptyDir":{},"name":"tmp"},{"image":{"reference":"model:v3@sha256:3333"},"name":"model"}]}}`
	if diff := cmp.Diff(want, string(pinned.Raw)); diff != "" {
		t.Error(diff)
	}
	if open := strings.Join(release.Unpinned(&pinned.Typed), " "); open != `spec.template.spec.containers[2].image: "free:v1"` {
		t.Errorf("still without a digest: %s", open)
	}
}
