package expression

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// expression and whether its outcome depends on the order in which a map is walked through, which is random.
type celExpression struct {
	text    string
	ordered bool
}

// celExpressions look into a document in every way that CEL has.
func celExpressions() []celExpression {
	return []celExpression{
		{"object", true}, {"object.a", true}, {"object['a']", true}, {"object.a.b.c", true}, {"object[0]", true}, {"object.a[0].b", true},
		{"object[1.0]", true}, {"object['a'][-1]", true}, {"object.a[99]", true}, {"object[object]", true},
		{"has(object.a)", true}, {"has(object.a.b)", true}, {"object.?a.b", true}, {"object.?a[?0].orValue('x')", true}, {"object[?'a'].hasValue()", true},
		{"size(object)", true}, {"object.a.size()", true}, {"type(object.a)", true}, {"type(object) == map", true}, {"object == object", true},
		{"object.a == object.b", true}, {"object.a != [1, 2]", true}, {"[1, 2] == object.a", true}, {"{'b': 1} == object.a", true}, {"object.a == {'b': {'c': 1}}", true},
		{"'a' in object", true}, {"1 in object.a", true}, {"object.a in [object.a]", true}, {"object.a in object.b", true}, {"object.b in object.a", true},
		{"object.a + object.b", true}, {"object.a + [1]", true}, {"[1] + object.a", true}, {"(object.a + object.a)[1]", true}, {"object.a + 1", true},
		{"object.a > 1", true}, {"object.a <= object.b", true}, {"-object.a", true}, {"!object.a", true}, {"object.a ? 1 : 2", true}, {"object.a * 2", true},
		{"string(object.a)", true}, {"int(object.a)", true}, {"double(object.a)", true}, {"bool(object.a)", true}, {"dyn(object.a)", true}, {"bytes(object.a)", true}, {"timestamp(object.a)", true},
		{"object.a.map(x, [x]).all(l, l[0] in object.a)", false}, {"object.a.map(x, string(x)).sort()", false}, {"object.a.map(x, x).size()", false}, {"object.a.filter(x, x == 1)", false}, {"object.a.all(x, x != null)", false}, {"object.a.exists_one(x, x == 'b')", false},
		{"object.a.exists(k, v, v == 1)", false}, {"object.a.transformMap(k, v, [v])", false}, {"object.a.transformList(i, v, v).size()", false}, {"object.a.transformList(i, v, string(v)).sort()", false}, {"object.all(k, size(k) > 0)", false},
		{"object.a.sum()", true}, {"object.a.min()", true}, {"object.a.isSorted()", true}, {"object.a.indexOf(1)", true}, {"object.a.slice(0, 1)", true}, {"object.a.flatten()", true},
		{"object.a.distinct()", true}, {"object.a.sort()", true}, {"object.a.reverse()", true}, {"sets.contains(object.a, object.b)", true}, {"sets.equivalent(object.a, [dyn(1), dyn('b')])", true},
		{"object.a.startsWith('b')", true}, {"object.a.matches('^b.*')", true}, {"object.a.split(',')", true}, {"object.a.join(',')", true}, {"'%s %d'.format([object.a, 1])", false}, {"'%s'.format([object.b])", false},
		{"quantity(object.a).asInteger()", true}, {"isQuantity(object.a)", true}, {"url(object.a).getHost()", true}, {"ip(object.a).family()", true}, {"format.dns1123Label().validate(object.a)", true},
		{"[object.a, object.b].all(x, x == object.a)", true}, {"{'k': object.a}.k.b", true}, {"optional.of(object.a).value() == object.a", true}, {"optional.ofNonZeroValue(object.a).hasValue()", true},
		{"object.a.b == object.b.a || object.b == 1", true},
	}
}

func celPrograms(t testing.TB) map[celExpression]cel.Program {
	t.Helper()
	env, err := NewEnvironment(cel.Variable("object", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	programs := map[celExpression]cel.Program{}
	for _, expression := range celExpressions() {
		ast, issues := env.Compile(expression.text)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", expression.text, issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		programs[expression] = program
	}
	return programs
}

// outcome of an expression in words, so that everything that people can see of it is compared.
func outcome(program cel.Program, object any, ordered bool) string {
	result, details, err := program.Eval(map[string]any{"object": object})
	text := ""
	if err != nil {
		// Some errors of cel-go name a type of Go.
		text, _, _ = strings.Cut(fmt.Sprintf("error %v", err), "invalid qualifier type: ")
		text = goType().ReplaceAllString(text, "GOTYPE")
		if !ordered {
			// Which error comes first depends on the order too.
			return "error"
		}
	} else {
		text = describe(result)
	}
	if ordered && details != nil && details.ActualCost() != nil {
		text += fmt.Sprintf(" at cost %d", *details.ActualCost())
	}
	return text
}

func goType() *regexp.Regexp { return regexp.MustCompile(`\*(types|expression)\.[a-zA-Z]+`) }

func describe(value ref.Val) string {
	if optional, ok := value.(*types.Optional); ok && optional.HasValue() {
		return "optional of " + describe(optional.GetValue())
	}
	if native, err := value.ConvertToNative(types.JSONValueType); err == nil {
		if text, err := json.Marshal(native); err == nil {
			return fmt.Sprintf("%s %s", value.Type().TypeName(), text)
		}
	}
	return fmt.Sprintf("%s %v", value.Type().TypeName(), value.Value())
}

// compareWithDecoded requires that expressions find the same in a text as in the maps and slices that it decodes to.
func compareWithDecoded(t *testing.T, programs map[celExpression]cel.Program, text []byte) {
	t.Helper()
	var decoded any
	if err := utiljson.Unmarshal(text, &decoded); err != nil {
		return
	}
	shared := Value(text)
	for expression, program := range programs {
		want := outcome(program, decoded, expression.ordered)
		for name, value := range map[string]any{"read first": Value(text), "read before": shared} {
			if got := outcome(program, value, expression.ordered); want != got {
				t.Errorf("%s of %s, %s:\ndecoded %s\n   lazy %s", expression.text, text, name, want, got)
			}
		}
	}
}

func celDocuments() []string {
	values := []string{
		`null`, `true`, `false`, `0`, `-0`, `1`, `-7`, `1.0`, `2.5e3`, `1E400`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `123456789012345678901234567890`,
		`""`, `"b"`, ` "b" `, ` 1 `, `"b,c"`, `"1"`, `"true"`, `"500m"`, `"192.0.2.1"`, `"https://example.com/a"`, `"\u00e9\"\\\ud800"`, "\"\xff\"", `"é"`, `"2026-01-02T03:04:05Z"`,
		`[]`, `{}`, `[1]`, `[1,2]`, `["b","a"]`, `[1,"b",null]`, `[[1],[2,[3]]]`, `[{"b":1},{"b":"c"}]`, `{"b":1}`, `{"b":{"c":1}}`, `{"b":{"c":1},"c":{"c":1}}`, `{"":null}`, ` { "b" : [ 1 , { "c" : "]}" } ] } `, `{"b":1,"b":{"c":2}}`,
	}
	documents := append([]string{}, values...)
	for i, a := range values {
		documents = append(documents, fmt.Sprintf(`{"a":%s}`, a), fmt.Sprintf("[%s ,\n%s]", a, a))
		for _, b := range []string{a, values[(i+7)%len(values)]} {
			documents = append(documents, fmt.Sprintf(`{"a":%s,"b":%s}`, a, b))
		}
	}
	return documents
}

func TestExpressionsFindTheSameInTextAsInDecodedObjects(t *testing.T) {
	programs := celPrograms(t)
	for _, document := range celDocuments() {
		compareWithDecoded(t, programs, []byte(document))
		if t.Failed() {
			return
		}
	}
}

func FuzzExpressionsFindTheSameInTextAsInDecodedObjects(f *testing.F) {
	programs := celPrograms(f)
	for _, document := range celDocuments() {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, text []byte) { compareWithDecoded(t, programs, text) })
}
