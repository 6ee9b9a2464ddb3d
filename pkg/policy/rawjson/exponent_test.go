package rawjson_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

func TestExponentsOutOfBoundsAreRefused(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"a huge one":             {`{"limits":{"cpu":"1e2000000000"}}`, "limits.cpu"},
		"a tiny one":             {`{"limits":{"cpu":"1e-2000000000"}}`, "limits.cpu"},
		"a number of JSON":       {`{"limits":{"cpu":1E-20000000}}`, "limits.cpu"},
		"a fraction":             {`{"limits":{"cpu":"1.e+1000"}}`, "limits.cpu"},
		"in a list of objects":   {`{"containers":[{"limits":{"x":[]}},{"limits":{"cpu":"-1.5E-1000"}}]}`, "containers[1].limits.cpu"},
		"zeros lead":             {`{"cpu":"1e-00001000"}`, "cpu"},
		"behind digits":          {`{"a":"123456","cpu":"123456789e123456789"}`, "cpu"},
		"among spaces":           {`{"cpu":" 1e20000000 "}`, "cpu"},
		"beyond 64 bits":         {`{"cpu":"1e-99999999999999999999999"}`, "cpu"},
		"the text ends":          {`{"cpu":"1e20000000"`, "cpu"},
		"within bounds":          {`{"cpu":"1e-999","memory":"1e0000000999"}`, ""},
		"a label":                {`{"labels":{"commit":"12e4567"}}`, ""},
		"an argument":            {`{"args":["12e4567"]}`, ""},
		"a variable":             {`{"env":[{"name":"A","value":"12e4567"}]}`, ""},
		"a digest":               {`{"image":"a@sha256:12e45678","digest":"sha256:12e45678"}`, ""},
		"no number before the e": {`{"cpu":"abce45678"}`, ""},
		"what is no JSON":        {`{ 1e2000000 `, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// At each offset, so that every fourth byte falls on every digit.
			for i := range 4 {
				err := rawjson.CheckExponents([]byte(strings.Repeat(" ", i) + tt.text))
				if (err != nil) != (tt.want != "") {
					t.Fatalf("shifted by %d: %v", i, err)
				}
				if err != nil && !strings.HasPrefix(err.Error(), tt.want+`: "`) {
					t.Errorf("error %q does not begin with the path %q", err, tt.want)
				}
			}
		})
	}
}

func BenchmarkCheckExponents(b *testing.B) {
	text := []byte(`{"a":[` + strings.Repeat(`{"name":"server-12","image":"registry.local/team/server:v1.20.3"},`, 105) + `{}]}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := rawjson.CheckExponents(text); err != nil {
			b.Fatal(err)
		}
	}
}
