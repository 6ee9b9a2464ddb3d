package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCutTakesMembersOutAndLeavesTheRestByteForByte(t *testing.T) {
	tests := map[string]struct {
		object string
		rest   string
		values []string
	}{
		"first, middle and last":        {`{"a": [1, {"b":2}] ,"x" : 1.50,"b":{"a":3}, "y":"\"}"}`, `{"x" : 1.50,"y":"\"}"}`, []string{`[1, {"b":2}]`, `{"a":3}`}},
		"none":                          {` {"x":1} `, ` {"x":1} `, []string{"", ""}},
		"all":                           {`{"b":null,"a":true}`, `{}`, []string{"true", "null"}},
		"the last of two counts":        {`{"a":1,"a":2}`, `{}`, []string{"2", ""}},
		"case counts":                   {`{"A":1}`, `{"A":1}`, []string{"", ""}},
		"a key in escapes":              {`{"\u0061":1,"x\n":2}`, `{"x\n":2}`, []string{"1", ""}},
		"an empty object":               {`{}`, `{}`, []string{"", ""}},
		"keys that hold what is wanted": {`{"ab":1,"":2}`, `{"ab":1,"":2}`, []string{"", ""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rest, values, err := Cut([]byte(test.object), "a", "b")
			if err != nil {
				t.Fatal(err)
			}
			picked, err := Pick([]byte(test.object), "a", "b")
			if err != nil {
				t.Fatal(err)
			}
			for i := range values {
				if string(values[i]) != test.values[i] || !bytes.Equal(values[i], picked[i]) {
					t.Errorf("value %d: cut %s, picked %s, want %s", i, values[i], picked[i], test.values[i])
				}
			}
			if diff := cmp.Diff(test.rest, string(rest)); diff != "" {
				t.Errorf("rest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTextThatIsNoObjectIsRefused(t *testing.T) {
	for _, text := range []string{"null", "[]", `"a"`, "1", "true"} {
		if _, err := Pick([]byte(text), "a"); !errors.Is(err, ErrNoObject) {
			t.Errorf("%s: %v", text, err)
		}
	}
	deep := strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2)
	for _, text := range []string{"", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1} x`, `{a:1}`, `{"a":01}`, `{"a":1.}`, `{"a":"` + "\n" + `"}`, `{"a":` + deep + `}`} {
		if _, err := Pick([]byte(text), "a"); err == nil {
			t.Errorf("%.20s is accepted", text)
		}
	}
}

// FuzzScanner compares what is valid, and what a member holds, with package encoding/json.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{"a":{"b":[1,-2.5e+3,"\u00e9\\",null]},"c":true}`, `{"\u0061":1,"a":2}`, `[{"a":1}]`, `{"a":1,}`, `{"a":"` + "\x01" + `"}`, `{"a":1e}`, ` { } `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rest, values, err := Cut(text, "a", "metadata")
		valid := json.Valid(text)
		if (err == nil || errors.Is(err, ErrNoObject)) != valid {
			t.Fatalf("%q: %v, and package json says %v", text, err, valid)
		}
		if err != nil {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		for i, key := range []string{"a", "metadata"} {
			if !bytes.Equal(values[i], members[key]) {
				t.Errorf("%q: %s is %q, package json says %q", text, key, values[i], members[key])
			}
			delete(members, key)
		}
		var left map[string]json.RawMessage
		if err := json.Unmarshal(rest, &left); err != nil {
			t.Fatalf("%q leaves %q: %v", text, rest, err)
		}
		if diff := cmp.Diff(members, left); diff != "" {
			t.Errorf("%q leaves other members (-want +got):\n%s", text, diff)
		}
	})
}
