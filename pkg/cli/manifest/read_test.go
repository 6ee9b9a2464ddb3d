package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
)

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"

// write makes files below a new working directory; a content "-> TARGET" makes a link.
func write(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// read returns FILE:LINE KIND/NAME of each object, and the problems.
func read(t *testing.T, o manifest.Options) (objects, problems []string) {
	t.Helper()
	set, err := manifest.Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range set.Objects {
		objects = append(objects, fmt.Sprintf("%s:%d %s/%s", object.File, object.Line, object.Kind, object.Name))
	}
	for _, problem := range set.Problems {
		problems = append(problems, problem.Error())
	}
	return objects, problems
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		files    map[string]string
		options  manifest.Options
		objects  []string
		problems []string
	}{
		"a directory, and not those below it": {
			files:   map[string]string{"d/b.yml": pod, "d/a.yaml": pod, "d/c.json": `{"apiVersion":"v1","kind":"Pod"}`, "d/notes.txt": "x", "d/.hidden.yaml": "x", "d/e/f.yaml": pod},
			options: manifest.Options{Filenames: []string{"d"}},
			objects: []string{"d/a.yaml:1 Pod/a", "d/b.yml:1 Pod/a", "d/c.json:1 Pod/"},
		},
		"those below it with -R, but none that is hidden": {
			files:   map[string]string{"d/a.yaml": pod, "d/e/f.yaml": pod, "d/.git/g.yaml": "x"},
			options: manifest.Options{Filenames: []string{"d"}, Recursive: true},
			objects: []string{"d/a.yaml:1 Pod/a", "d/e/f.yaml:1 Pod/a"},
		},
		"links to files are followed and loops of directories are not": {
			files:   map[string]string{"d/a.yaml": "-> ../real", "real": pod, "d/loop": "-> ."},
			options: manifest.Options{Filenames: []string{"d"}, Recursive: true},
			objects: []string{"d/a.yaml:1 Pod/a"},
		},
		"a directory that is a link": {
			files:   map[string]string{"real/a.yaml": pod, "link": "-> real"},
			options: manifest.Options{Filenames: []string{"link"}},
			objects: []string{"link/a.yaml:1 Pod/a"},
		},
		"a file that is named twice is read once": {
			files:   map[string]string{"d/a.yaml": pod},
			options: manifest.Options{Filenames: []string{"d", "./d/a.yaml"}},
			objects: []string{"d/a.yaml:1 Pod/a"},
		},
		"the standard input": {
			options: manifest.Options{Filenames: []string{"-"}, Stdin: strings.NewReader(pod)},
			objects: []string{"-:1 Pod/a"},
		},
		"what cannot be read does not hide the rest": {
			files:   map[string]string{"d/a.yaml": pod + "---\nx: [", "d/b.yaml": "# nothing\n", "d/c.yaml": pod},
			options: manifest.Options{Filenames: []string{"d", "gone.yaml", "https://example.com/x.yaml"}},
			objects: []string{"d/a.yaml:1 Pod/a", "d/c.yaml:1 Pod/a"},
			problems: []string{
				"gone.yaml: no such file or directory",
				"https://example.com/x.yaml: is a URL, and nothing is fetched from the network: download it, or pass it with -f -",
				"d/a.yaml:5: is no valid YAML: did not find expected node content",
			},
		},
		"a directory without manifests": {
			files:    map[string]string{"d/e/a.yaml": pod},
			options:  manifest.Options{Filenames: []string{"d"}},
			problems: []string{"d: holds no .json, .yaml, .yml file; directories below it are read with -R"},
		},
		"a kustomization among files": {
			files:    map[string]string{"d/kustomization.yaml": "resources: [a.yaml]", "d/a.yaml": pod},
			options:  manifest.Options{Filenames: []string{"d"}},
			problems: []string{"d/kustomization.yaml: the kustomization in d is built with -k d; name files beside it one by one with -f"},
		},
		"a kustomization without a file": {
			files:   map[string]string{"d/a.yaml": pod},
			options: manifest.Options{Kustomizations: []string{"d", "gone", "d/a.yaml"}},
			problems: []string{
				"d: holds no kustomization file (kustomization.yaml, kustomization.yml, Kustomization)",
				"gone: no such file or directory",
				"d/a.yaml: is no directory: -k takes a directory that holds a kustomization file",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, c.files)
			objects, problems := read(t, c.options)
			if diff := cmp.Diff(c.objects, objects); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

const base = `# Copyright
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: app
        image: nginx
`

func TestKustomizationLeadsBackToWhatWasWritten(t *testing.T) {
	write(t, map[string]string{
		"base/kustomization.yaml":          "resources: [web.yaml]\n",
		"base/web.yaml":                    base,
		"overlays/prod/kustomization.yaml": "resources: [../../base]\nnamePrefix: prod-\nnamespace: shop\nimages: [{name: nginx, newTag: v2}]\nconfigMapGenerator: [{name: c, literals: [\"u=https://example.com\"]}]\ncommonAnnotations: {path: https://example.com}\n",
	})
	set, err := manifest.Read(t.Context(), manifest.Options{Kustomizations: []string{"overlays/prod"}})
	if err != nil || len(set.Problems) > 0 || len(set.Objects) != 2 {
		t.Fatal(err, set)
	}
	web := set.Objects[0]
	if web.File != "base/web.yaml" || web.Line != 2 || web.Name != "prod-web" || web.Namespace != "shop" {
		t.Errorf("got %s:%d %s/%s", web.File, web.Line, web.Namespace, web.Name)
	}
	if line, column := web.Position("spec.template.spec.containers[0].image"); line != 10 || column != 9 {
		t.Errorf("the image stands at %d:%d, want 10:9", line, column)
	}
	if !strings.Contains(string(web.JSON), `"image":"nginx:v2"`) || strings.Contains(string(web.JSON), "config.kubernetes.io/origin") {
		t.Errorf("the object is not what kustomize makes: %s", web.JSON)
	}
	if made := set.Objects[1]; made.Kind != "ConfigMap" || made.File != "overlays/prod/kustomization.yaml" || made.Line != 0 {
		t.Errorf("what was generated is said to stand in %s:%d", made.File, made.Line)
	}
}

func TestKustomizationsStayWithinTheirDirectoryAndOffTheNetwork(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = w.Write([]byte(pod))
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	if _, _, err := net.SplitHostPort(host); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a remote resource":            {map[string]string{"k/kustomization.yaml": "resources: [" + server.URL + "/a.yaml]"}, "nothing is fetched from the network"},
		"a repository":                 {map[string]string{"k/kustomization.yaml": "resources: [\"git::" + server.URL + "/a/b\"]"}, "nothing is fetched from the network"},
		"a repository by ssh":          {map[string]string{"k/kustomization.yaml": "resources: [\"git@localhost:a/b\"]"}, "nothing is fetched from the network"},
		"a repository on GitHub":       {map[string]string{"k/kustomization.yaml": "components: [GitHub.com/a/b]"}, "nothing is fetched from the network"},
		"a remote patch":               {map[string]string{"k/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: " + server.URL + "/a.yaml}]", "k/a.yaml": pod}, "nothing is fetched from the network"},
		"a remote file of a generator": {map[string]string{"k/kustomization.yaml": "configMapGenerator: [{name: c, files: [\"k=" + server.URL + "/a.yaml\"]}]"}, "nothing is fetched from the network"},
		"a remote base of a base":      {map[string]string{"k/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [" + server.URL + "/a.yaml]"}, "b/kustomization.yaml"},
		"a plugin configured in a file": {map[string]string{
			"k/kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]", "k/a.yaml": pod,
			"k/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: " + server.URL + "/a.yaml\n"}, "nothing is fetched from the network"},
		"a plugin configured in place": {map[string]string{
			"k/kustomization.yaml": "resources: [a.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: t}\n  path: " + server.URL + "/a.yaml\n", "k/a.yaml": pod}, "nothing is fetched from the network"},
		"a file above":  {map[string]string{"k/kustomization.yaml": "resources: [../a.yaml]", "a.yaml": pod}, "is not in or below"},
		"a Helm chart":  {map[string]string{"k/kustomization.yaml": "helmCharts: [{name: a, repo: " + server.URL + "}]"}, "--enable-helm"},
		"bad YAML":      {map[string]string{"k/kustomization.yaml": "resources: ["}, "cannot be built"},
		"nothing in it": {map[string]string{"k/kustomization.yaml": "namePrefix: a-\n"}, "k: "},
		"a cycle":       {map[string]string{"k/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../k]"}, "cycle"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, c.files)
			_, problems := read(t, manifest.Options{Kustomizations: []string{"k"}})
			if len(problems) != 1 || !strings.Contains(problems[0], c.want) {
				t.Errorf("got %q, want one problem with %q", problems, c.want)
			}
		})
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestDevicesInDirectoriesAreNotRead(t *testing.T) {
	write(t, map[string]string{"d/a.yaml": pod, "d/zero.yaml": "-> /dev/zero"})
	if info, err := os.Stat("/dev/zero"); err != nil || info.Mode().Type() != fs.ModeDevice|fs.ModeCharDevice {
		t.Skip("needs /dev/zero")
	}
	objects, problems := read(t, manifest.Options{Filenames: []string{"d"}})
	if len(objects) != 1 || len(problems) != 0 {
		t.Errorf("got %v and %v", objects, problems)
	}
}

func TestOneBadEntryOfADirectoryIsOneProblem(t *testing.T) {
	write(t, map[string]string{
		"d/a.yaml": pod, "d/gone.yaml": "-> nowhere", "d/empty.yaml": "", "d/comment.yaml": "# nothing\n",
		"d/k/kustomization.yaml": "resources: [b.yaml]\n", "d/k/b.yaml": pod, "d/z/c.yaml": pod,
	})
	objects, problems := read(t, manifest.Options{Filenames: []string{"d"}, Recursive: true})
	if diff := cmp.Diff([]string{"d/a.yaml:1 Pod/a", "d/z/c.yaml:1 Pod/a"}, objects); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	want := []string{
		"d/gone.yaml: no such file or directory",
		"d/k/kustomization.yaml: the kustomization in d/k is built with -k d/k; name files beside it one by one with -f",
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if _, problems := read(t, manifest.Options{Filenames: []string{"d/comment.yaml"}}); len(problems) != 1 {
		t.Errorf("of an empty file that is named: %q", problems)
	}
}

func TestAKeyMayOverrideAMergedOne(t *testing.T) {
	const merged = "x: &c {name: one, namespace: shop}\napiVersion: v1\nkind: Pod\nmetadata:\n  <<: *c\n  name: two\n"
	objects, problem := manifest.Parse("a.yaml", []byte(merged))
	if problem != nil || len(objects) != 1 || objects[0].Name != "two" || objects[0].Namespace != "shop" {
		t.Errorf("got %v, %v", objects, problem)
	}
	if _, problem := manifest.Parse("a.yaml", []byte(merged+"  name: three\n")); problem == nil || problem.Line != 7 {
		t.Errorf("a key that stands twice: got %v", problem)
	}
}

func TestAnInterruptEndsTheReadingOfTheStandardInput(t *testing.T) {
	open, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupted)
	if _, err := manifest.Read(ctx, manifest.Options{Filenames: []string{"-"}, Stdin: open}); err == nil || err.Error() != "interrupted" {
		t.Errorf("got %v", err)
	}
}
