package rawjson_test

import (
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

func TestLength(t *testing.T) {
	tests := map[string]struct {
		text string
		want int
		err  bool
	}{
		"empty":            {text: " [ ] "},
		"one":              {text: `[1]`, want: 1},
		"lists in a list":  {text: `[[1,2],{"a":[3,4]}, "x,y]" ]`, want: 3},
		"no list":          {text: `{"a":[1,2]}`},
		"null":             {text: `null`},
		"broken":           {text: `[1,2`, err: true},
		"broken elements":  {text: `[1,tru]`, err: true},
		"something behind": {text: `[1] 2`, err: true},
		"a comma too many": {text: `[1,]`, err: true},
		"nothing":          {err: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := rawjson.Length([]byte(tt.text))
			if got != tt.want || (err != nil) != tt.err {
				t.Errorf("Length(%s) = %d, %v, want %d and an error: %t", tt.text, got, err, tt.want, tt.err)
			}
		})
	}
}
