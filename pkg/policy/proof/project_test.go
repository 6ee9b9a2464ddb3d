package proof_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// condition is a policy that asks one expression of attestations of some type.
func condition(uri, expression string) string {
	return fmt.Sprintf("authorities: [{name: a}]\nrequire: AttestationsOnly\nattestations: [{name: x, predicateType: %q, conditions: [{name: c, expression: %q}]}]", uri, expression)
}

func TestOnlyWhatConditionsLookAtIsKept(t *testing.T) {
	const scan = `{ "big": {"x": [1, 2]}, "Results": [ {"Class": "os-pkgs", "Vulnerabilities": [{"ID": "CVE-1", "Severity": "LOW"}, {"Severity": "HIGH"}]}, {"Class": "lang"} ], "n": 1, "n": 2 }`
	tests := map[string]struct{ uri, expression, predicate, want string }{
		"a field":                  {"urn:x", `predicate.n == 2`, scan, `{"n":2}`},
		"nothing":                  {"urn:x", `environment != ""`, scan, `{}`},
		"whether a field is there": {"urn:x", `has(predicate.big) && has(predicate.Results)`, scan, `{"big":{},"Results":[]}`},
		"fields of elements": {"urn:x", `predicate.Results.all(r, r.?Vulnerabilities.orValue([]).all(v, !(v.Severity in ["HIGH"])))`, scan,
			`{"Results":[{"Vulnerabilities":[{"Severity":"LOW"},{"Severity":"HIGH"}]},{}]}`},
		"filtered elements":         {"urn:x", `predicate.Results.filter(r, r.Class == "os-pkgs").map(r, r.Vulnerabilities.size()).sum() == 2`, scan, `{"Results":[{"Class":"os-pkgs","Vulnerabilities":[null,null]},{"Class":"lang"}]}`},
		"how many":                  {"urn:x", `size(predicate.Results) == 2 && predicate.big != null`, scan, `{"big":{},"Results":[null,null]}`},
		"one of them":               {"urn:x", `predicate.Results[1].Class == "lang"`, scan, `{"Results":[{"Class":"os-pkgs"},{"Class":"lang"}]}`},
		"keys":                      {"urn:x", `predicate.all(k, v, k != "")`, `{"a":{"b":1}}`, `{"a":{}}`},
		"a list and its parts":      {"urn:x", `(predicate.a + predicate.b).exists(x, x.c == 1)`, `{"a":[{"c":1,"d":1}],"b":[{"c":2,"d":1}]}`, `{"a":[{"c":1}],"b":[{"c":2}]}`},
		"an optional":               {"urn:x", `predicate.?a.optMap(x, x.b).orValue(1) == 1`, `{"a":{"b":1,"c":2}}`, `{"a":{"b":1}}`},
		"what a function gets":      {"urn:x", `sets.contains(predicate.a, [1])`, `{"a": [1, {"x": 2}], "b": 1}`, `{"a":[1,{"x":2}]}`},
		"a key that is computed":    {"urn:x", `predicate.a[predicate.b].c == 1`, `{"a":{"x":{"c":1,"d":1}},"b":"x","c":1}`, `{"a":{"x":{"c":1}},"b":"x"}`},
		"a variable that hides":     {"urn:x", `predicate.a.all(predicate, predicate.b == 1)`, `{"a":[{"b":1,"c":1}],"b":1,"c":1}`, `{"a":[{"b":1}]}`},
		"the time of a scan":        {"vuln", `predicate.scanner.uri != ""`, `{"scanner":{"uri":"u","version":"1"},"metadata":{"scanStartedOn":"x","scanFinishedOn":"y"}}`, `{"scanner":{"uri":"u"},"metadata":{"scanFinishedOn":"y"}}`},
		"the time of provenance":    {"slsaprovenance1", `true`, `{"buildDefinition":{},"runDetails":{"builder":{},"metadata":{"finishedOn":"y","startedOn":"x"}}}`, `{"runDetails":{"metadata":{"finishedOn":"y"}}}`},
		"a predicate that is text":  {"urn:x", `predicate != ""`, ` "SPDXVersion: x" `, `"SPDXVersion: x"`},
		"a null":                    {"urn:x", `predicate.a == null || predicate.a.b == 1`, `{"a":null}`, `{"a":null}`},
		"the same parts of a union": {"urn:x", `(predicate.n == 1 ? predicate.a : predicate.b).c == 1`, `{"a":{"c":1,"d":1},"b":{"c":2,"d":1},"n":1}`, `{"a":{"c":1},"b":{"c":2},"n":1}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requirement := compile(t, condition(tt.uri, tt.expression))
			got, err := requirement.Project(requirement.PredicateTypes()[0], []byte(tt.predicate))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("kept %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAPredicateOfWhichTooMuchIsLookedAtIsRefused(t *testing.T) {
	long := `"` + strings.Repeat("x", 64<<10) + `"`
	deep := strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101)
	tests := map[string]struct{ expression, predicate, want string }{
		"a long text":         {`predicate.a == "x"`, `{"a":` + long + `}`, "more than 64 KiB"},
		"it is not looked at": {`predicate.b == 1`, `{"a":` + long + `,"b":1}`, ""},
		"a whole object":      {`predicate.a == {}`, `{"a":{"b":` + long + `}}`, "more than 64 KiB"},
		"many elements":       {`size(predicate.a) > 1`, `{"a":[` + strings.Repeat("1,", 20000) + `1]}`, "more than 64 KiB"},
		"long keys":           {`predicate.all(k, k != "")`, `{` + long + `:1}`, "more than 64 KiB"},
		"spaces":              {`predicate.a == {}`, `{"a":{` + strings.Repeat(" ", 300<<10) + `}}`, "more than 64 KiB"},
		"a deep one":          {`predicate.b == 1`, deep, "deeper than 100"},
		"no JSON":             {`predicate.b == 1`, `{"b":1`, "the text ends"},
		"nothing":             {`predicate.b == 1`, ``, "the text ends"},
		"two values":          {`predicate.b == 1`, `{} {}`, "where the end should stand"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, condition("urn:x", tt.expression)).Project("urn:x", []byte(tt.predicate))
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// expressions look into a predicate in many ways.
func expressions() []string {
	return []string{
		`predicate.a == 1`, `predicate.a.b == "x"`, `predicate.a[0].b == 1`, `predicate["a"]["b"] == 1`, `predicate[0] == 1`, `has(predicate.a)`, `has(predicate.a.b)`,
		`predicate.?a.?b.orValue(0) == 1`, `predicate.?a[?0].?b.hasValue()`, `predicate[?"a"].orValue({}).?b.orValue(1) == 1`, `optional.ofNonZeroValue(predicate.a).hasValue()`,
		`predicate.?a.or(predicate.?b).orValue([]).all(x, x.c == 1)`, `predicate.?a.optMap(x, x.b == 1).orValue(false)`, `predicate.?a.optFlatMap(x, x.?b).orValue(0) == 1`, `optional.of(predicate.a).value().b == 1`,
		`size(predicate.a) == 2`, `predicate.a.size() == 2`, `type(predicate.a) == list`, `type(predicate.a.b) == map`, `predicate.a == predicate.b`, `predicate.a != null`, `null == predicate.a.b`, `predicate == {}`, `predicate.a == [1, 2]`,
		`"a" in predicate`, `1 in predicate.a`, `predicate.a in [dyn(1), dyn("x")]`, `predicate.b in predicate.a`, `predicate.a.b in predicate`,
		`(predicate.a + predicate.b).exists(x, x.b == 1)`, `(predicate.a + [1])[0] == 1`, `(predicate.a + predicate.a).size() == 4`, `predicate.a + 1 == 2`, `predicate.a + "x" == "xx"`, `-predicate.a == 1`, `predicate.a > 80`, `!predicate.a`,
		`predicate.a.all(x, x == 1)`, `predicate.a.exists(x, x.b > 1)`, `predicate.a.exists_one(x, x.b == 1)`, `predicate.a.filter(x, has(x.b)).size() == 1`, `predicate.a.filter(x, x.b == 1).all(y, y.c == 2)`, `predicate.a.map(x, x.b) == [1]`,
		`predicate.a.map(x, x.b == 1, x.c).exists(y, y == 2)`, `predicate.a.map(x, [x])[0][0].b == 1`, `predicate.a.map(x, {"k": x.b})[0].k == 1`, `predicate.all(k, k != "b")`, `predicate.all(k, v, v != 1)`, `predicate.a.exists(i, v, i == 1 && v.b == 1)`,
		`predicate.transformMap(k, v, v.b)["a"] == 1`, `predicate.transformMap(k, v, k == "a", v)["a"].b == 1`, `predicate.a.transformList(i, v, v.b) == [1]`, `predicate.transformMapEntry(k, v, {k: v})["a"].b == 1`, `predicate.existsOne(k, v, v == 1)`,
		`{"k": predicate.a}.k.b == 1`, `[predicate.a, predicate.b].all(x, x.c == 1)`, `[predicate.a][0].b == 1`, `dyn(predicate.a).b == 1`, `(predicate.a == 1 ? predicate.b : predicate.c).d == 1`,
		`predicate.a.all(predicate, predicate.b == 1)`, `predicate.a.all(x, .predicate.b == x)`, `predicate.a.all(predicate, .predicate.b == 1)`, `predicate.a[predicate.b] == 1`, `predicate[predicate.b].c == 1`, `predicate.a[-1] == 1`, `predicate.a[1.0] == 1`,
		`sets.contains(predicate.a, [1])`, `predicate.a.sum() == 3`, `predicate.a.sort()[0] == 1`, `predicate.a.sortBy(x, x.b)[0].b == 1`, `predicate.a.flatten() == [1]`, `predicate.a.distinct().size() == 1`, `predicate.a.reverse()[0].b == 1`, `predicate.a.slice(0, 1)[0].b == 1`,
		`predicate.a.first().value().b == 1`, `string(predicate.a) == "1"`, `timestamp(predicate.a) > now`, `predicate.a.startsWith("x")`, `predicate.a.matches("^x")`, `"%s".format([predicate.a]) == "1"`, `quantity(predicate.a).isGreaterThan(quantity("1"))`,
		`predicate.a.b == 1 || predicate.b == 1`, `predicate.a.b == 1 && predicate.b == 1`, `predicate.x.y.z == 1 || true`, `[0, 1].exists(i, predicate.a[i] == 1)`, `predicate.a.all(x, predicate.b.exists(y, y.c == x.c))`, `time < now && predicate.a == image.registry`,
	}
}

func documents() []string {
	values := []string{`null`, `true`, `1`, `85.5`, `"x"`, `"b"`, `[]`, `{}`, `[1]`, `[1,2]`, `["x",{"b":1}]`, `[{"b":1,"c":1},{"b":2,"c":2}]`, `{"b":1,"c":1}`, `{"b":{"c":1,"d":1}}`, `{"d":1}`, `[[1],[2]]`, `{"b":[1,2,{"c":1}]}`}
	list := append([]string{`{"a":1,"a":{"b":1}}`, `{"a":{"b":2,"b":1}}`, `{"\u0061":1}`, `{"a":{"":1}}`, "{\"a\":\"\xff\"}", `{"a":1e400}`}, values...)
	for _, a := range values {
		list = append(list, `{"a":`+a+`}`)
		for _, b := range values {
			list = append(list, `{"x":[{"y":1}],"a":`+a+`,"b":`+b+`}`)
		}
	}
	return list
}

// outcomeOf one condition in words: whether it holds, does not or cannot be judged.
func outcomeOf(requirement *proof.Requirement, in proof.Context, predicate []byte) string {
	e := evidence()
	e.Attestations = []proof.Attestation{attested("a by k", "urn:x", string(predicate), time.Time{})}
	outcome := requirement.Judge(e, in)
	text := strings.Join(outcome.Reasons, "; ")
	switch {
	case outcome.Satisfied:
		return "holds"
	case strings.Contains(text, "(cannot be judged: "):
		return "cannot be judged"
	}
	return "does not hold"
}

func compareWithWhole(t *testing.T, compiler *proof.Compiler, requirement *proof.Requirement, in proof.Context, text string) {
	t.Helper()
	projected, err := requirement.Project("urn:x", []byte(text))
	if err != nil {
		return
	}
	want := outcomeOf(requirement, in, []byte(text))
	if got := outcomeOf(requirement, in, projected); got != want {
		for range 30 {
			again, err := compiler.Compile(requirement.ImagePolicy())
			if err != nil {
				t.Fatal(err)
			}
			if outcomeOf(again, in, []byte(text)) != want {
				return // It depends on the order of a map's keys, which is random.
			}
		}
		t.Errorf("%s of\n%s: %s, but %s of what is kept:\n%s", requirement.ImagePolicy().Spec.Attestations[0].Conditions[0].Expression, text, want, got, projected)
	}
	if again, err := requirement.Project("urn:x", projected); err != nil || string(again) != string(projected) {
		t.Errorf("projecting again: %s, %v\nwant %s", again, err, projected)
	}
}

func TestConditionsHoldForWhatIsKeptAsForTheWhole(t *testing.T) {
	compiler, err := proof.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range expressions() {
		requirement, err := compiler.Compile(imagePolicy(t, condition("urn:x", text)))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, document := range documents() {
			compareWithWhole(t, compiler, requirement, context(t), document)
		}
	}
}

func FuzzProject(f *testing.F) {
	for i, text := range expressions() {
		f.Add(text, documents()[(i*37)%len(documents())])
	}
	compiler, err := proof.NewCompiler()
	if err != nil {
		f.Fatal(err)
	}
	policy := imagePolicy(f, condition("urn:x", "true"))
	in := context(f)
	f.Fuzz(func(t *testing.T, expression, document string) {
		asked := policy.DeepCopy()
		asked.Spec.Attestations[0].Conditions[0].Expression = expression
		requirement, err := compiler.Compile(asked)
		if err != nil {
			return
		}
		compareWithWhole(t, compiler, requirement, in, document)
	})
}
