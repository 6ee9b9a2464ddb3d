package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const deployment = `# A comment.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app.example.com/name: web
spec:
  template:
    spec:
      containers:
      - name: app
        image: nginx
        resources:
          limits: &small
            memory: 64Mi
      - name: side
        image: "busybox"
        resources:
          requests: *small
          limits:
            <<: *small
            cpu: 1
`

func TestEveryFieldHasAPosition(t *testing.T) {
	objects, problem := Parse("web.yaml", []byte("---\n"+deployment))
	if problem != nil || len(objects) != 1 {
		t.Fatal(len(objects), problem)
	}
	for field, want := range map[string]string{
		"":                 "3:1",
		"metadata":         "5:1",
		"metadata.name":    "6:3",
		"metadata.missing": "5:1",
		`metadata.labels["app.example.com/name"]`:                    "8:5",
		"metadata.labels[app.example.com/name]":                      "8:5",
		"metadata.labels.app.example.com/name":                       "8:5",
		"metadata.labels[absent]":                                    "7:3",
		"spec.template.spec.containers[0]":                           "13:9",
		"spec.template.spec.containers[0].image":                     "14:9",
		"spec.template.spec.containers[0].livenessProbe":             "13:9",
		"spec.template.spec.containers[1].image":                     "19:9",
		"spec.template.spec.containers[7].image":                     "12:7",
		"spec.template.spec.containers[1].resources.requests.memory": "17:13",
		"spec.template.spec.containers[1].resources.limits.memory":   "17:13",
		"spec.template.spec.containers[1].resources.limits.cpu":      "24:13",
		"spec.template.spec.containers[x":                            "12:7",
		"spec.replicas":                                              "9:1",
	} {
		t.Run(field, func(t *testing.T) {
			line, column := objects[0].Position(field)
			if got := fmt.Sprintf("%d:%d", line, column); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	if objects[0].Line != 3 {
		t.Errorf("the object begins on line %d, want 3", objects[0].Line)
	}
}

func TestJSONHasPositionsToo(t *testing.T) {
	objects, problem := Parse("web.json", []byte("{\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"ä\", \"x\": 1},\n\t\"spec\": {\"containers\": [\n\t\t{\"image\": \"a\"},\n\t\t{\"image\": \"b\"}]}}\n{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}"))
	if problem != nil || len(objects) != 2 {
		t.Fatal(len(objects), problem)
	}
	for field, want := range map[string]string{
		"metadata.x":               "3:28",
		"spec.containers[1].image": "6:4",
		"spec.containers[1]":       "6:3",
	} {
		line, column := objects[0].Position(field)
		if got := fmt.Sprintf("%d:%d", line, column); got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
	if objects[1].Line != 7 {
		t.Errorf("the second object begins on line %d, want 7", objects[1].Line)
	}
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		// want is KIND/NAME@LINE of each object.
		want    []string
		problem string
	}{
		"documents, comments and empty documents": {
			content: "# only a comment\n---\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n--- # next\napiVersion: v1\nkind: Pod\nmetadata: {generateName: b-}\n",
			want:    []string{"Pod/a@4", "Pod/b-@8"},
		},
		"a List is taken apart": {
			content: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: v1, kind: Service, metadata: {name: b}}\n",
			want:    []string{"Pod/a@4", "Service/b@10"},
		},
		"items of a typed list need no kind": {
			content: "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n",
			want:    []string{"Deployment/a@4"},
		},
		"items of a List do": {
			content: "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n",
			problem: "f.yaml:4:3: is no Kubernetes object: apiVersion is missing",
		},
		"a byte order mark":         {content: "\xef\xbb\xbfapiVersion: v1\nkind: Pod\n", want: []string{"Pod/@1"}},
		"Windows line ends":         {content: "apiVersion: v1\r\nkind: Pod\r\n---\r\napiVersion: v1\r\nkind: Pod\r\n", want: []string{"Pod/@1", "Pod/@4"}},
		"flow style in a YAML file": {content: "{apiVersion: v1, kind: Pod}", want: []string{"Pod/@1"}},
		"a key twice": {
			content: "apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  name: b\n",
			want:    []string{"Pod/@1"}, problem: `f.yaml:8:3: key "name" stands twice, first on line 7: remove one of the two`,
		},
		"a key twice in JSON": {
			file: "f.json", content: "{\"kind\": \"Pod\",\n \"kind\": \"Pod\"}",
			problem: `f.json:2:2: key "kind" stands twice, first on line 1: remove one of the two`,
		},
		"a tab":             {content: "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n", problem: "f.yaml:4:1: a tab cannot indent YAML: use spaces"},
		"bad YAML":          {content: "apiVersion: v1\nkind: Pod\n---\na: [1\nb: 2\n", want: []string{"Pod/@1"}, problem: "f.yaml:4: is no valid YAML: did not find expected ',' or ']'"},
		"bad JSON":          {file: "f.json", content: "{\n \"a\": tru }", problem: "f.json:2:7: is no valid JSON: invalid character ' ' in literal true (expecting 'e')"},
		"JSON that ends":    {file: "f.json", content: "{\"a\": [1,", problem: "f.json:1:10: is no valid JSON: ends too early"},
		"no kind":           {content: "\n\nreplicas: 3\n", problem: "f.yaml:3:1: is no Kubernetes object: apiVersion is missing"},
		"a list at the top": {content: "- a\n", problem: "f.yaml:1:1: is no Kubernetes object: apiVersion and kind are missing"},
		"a name that is no string": {
			content: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: [a]\n",
			problem: "f.yaml:4:3: is no Kubernetes object: metadata.name must be a string, not array",
		},
		"text behind a separator": {content: "--- kind: Pod\n", problem: "f.yaml:1:4: only a comment may follow a document separator (---)"},
		"binary":                  {content: "\x00\x01", problem: "f.yaml: is no text in UTF-8, so it holds no manifest"},
		"an anchor of itself":     {content: "apiVersion: v1\nkind: Pod\nmetadata: &a\n  b: *a\n", problem: "f.yaml:1: is no valid YAML: anchor 'a' value contains itself"},
		"aliases that explode": {
			content: "apiVersion: v1\nkind: Pod\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
			problem: "f.yaml:1: is no valid YAML: document contains excessive aliasing",
		},
		"nothing": {content: "# nothing\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := c.file
			if file == "" {
				file = "f.yaml"
			}
			objects, problem := Parse(file, []byte(c.content))
			var got []string
			for _, o := range objects {
				got = append(got, fmt.Sprintf("%s/%s@%d", o.Kind, o.Name, o.Line))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			message := ""
			if problem != nil {
				message = problem.Error()
			}
			if message != c.problem {
				t.Errorf("problem: got %q, want %q", message, c.problem)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("f.yaml", []byte(deployment), "spec.template.spec.containers[1].resources.limits.memory")
	f.Add("f.json", []byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}]}`), `metadata["a.b"].c[3`)
	f.Add("f.yaml", []byte("a: &a\n  <<: *a\n  b: 1\n"), "a.b.c")
	f.Add("-", []byte("{a: b}\n---\n[1, {\"x\"\t: 2}]"), "[0].x")
	f.Fuzz(func(t *testing.T, name string, content []byte, field string) {
		// All that YAML 1.1 takes for the end of a line.
		lines := 1
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(content), end)
		}
		objects, problem := Parse(name, content)
		if problem != nil && (problem.File != name || problem.Message == "" || problem.Line > lines+1) {
			t.Errorf("problem %+v of %d lines", problem, lines)
		}
		for _, o := range objects {
			if o.APIVersion == "" || o.Kind == "" || len(o.JSON) == 0 {
				t.Errorf("half an object: %+v", o)
			}
			line, _ := o.Position(field)
			if line < 0 || line > lines+1 {
				t.Errorf("line %d of %d", line, lines)
			}
		}
	})
}

func TestAQuantityThatNobodyCanComputeIsRefusedWhereItStands(t *testing.T) {
	_, problem := Parse("web.yaml", []byte(strings.Replace(deployment, "cpu: 1", `cpu: "1e-2000000000"`, 1)))
	if problem == nil || problem.Line != 23 || !strings.Contains(problem.Message, "1e-2000000000") {
		t.Errorf("problem %+v", problem)
	}
}
