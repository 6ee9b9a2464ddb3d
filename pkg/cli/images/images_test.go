package images

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func template(images ...string) *corev1.PodTemplateSpec {
	result := &corev1.PodTemplateSpec{}
	for _, pair := range images {
		name, reference, _ := strings.Cut(pair, "=")
		container := corev1.Container{Image: reference}
		if rest, init := strings.CutPrefix(name, "init:"); init {
			container.Name = rest
			result.Spec.InitContainers = append(result.Spec.InitContainers, container)
			continue
		}
		container.Name = name
		result.Spec.Containers = append(result.Spec.Containers, container)
	}
	return result
}

func TestParseAndApply(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := map[string]struct {
		values []string
		on     *corev1.PodTemplateSpec
		want   *corev1.PodTemplateSpec
		err    string
	}{
		"a named container": {
			values: []string{"web=r.example.com/web:v2"},
			on:     template("web=r.example.com/web:v1", "log=log:1"),
			want:   template("web=r.example.com/web:v2", "log=log:1"),
		},
		"the only container needs no name": {
			values: []string{"r.example.com:5000/web:v2"},
			on:     template("web=web:v1"),
			want:   template("web=r.example.com:5000/web:v2"),
		},
		"a star means all containers but the init containers": {
			values: []string{"*=web:v2"},
			on:     template("init:migrate=db:1", "web=web:v1", "log=web:v1"),
			want:   template("init:migrate=db:1", "web=web:v2", "log=web:v2"),
		},
		"an init container is reached by name": {
			values: []string{"migrate=db:2"},
			on:     template("init:migrate=db:1", "web=web:v1"),
			want:   template("init:migrate=db:2", "web=web:v1"),
		},
		"a digest": {
			values: []string{"web=r.example.com/web" + digest},
			on:     template("web=web:v1"),
			want:   template("web=r.example.com/web" + digest),
		},
		"a name must be given where there are several": {
			values: []string{"web:v2"}, on: template("web=web:v1", "log=log:1"),
			err: "the deployment has 2 containers (log, web): name one",
		},
		"unknown containers are all told, with those that exist": {
			values: []string{"sidecar=a:1", "proxy=b:1"}, on: template("web=web:v1"),
			err: `no container "proxy", "sidecar", only web`,
		},
		"a reference that no registry could have": {
			values: []string{"web=Web Server:v2"}, err: "Web Server",
		},
		"an empty container name": {values: []string{"=web:v2"}, err: "the container's name is missing"},
		"the same container twice": {
			values: []string{"web=a:1", "web=a:2"}, err: "has an image already",
		},
		"a star beside a name": {values: []string{"*=a:1", "web=a:2"}, err: "*= gives every container an image"},
		"a bare reference beside a name": {
			values: []string{"a:1", "web=a:2"}, err: "name the container of each image",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set, err := Parse(test.values)
			if err == nil {
				err = set.Apply(test.on)
			}
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, test.on); diff != "" {
				t.Errorf("the template differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	_, err := Parse([]string{"=a:1", "web=A B"})
	for _, want := range []string{"name is missing", "A B"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("web=registry.example.com:5000/web:v2")
	f.Add("*=a")
	f.Fuzz(func(t *testing.T, value string) {
		set, err := Parse([]string{value})
		if err == nil && len(set) != 1 {
			t.Errorf("Parse(%q) gives %d images and no error", value, len(set))
		}
	})
}
