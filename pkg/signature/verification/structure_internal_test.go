package verification

import (
	"strings"
	"testing"
)

func TestStructureIsCountedOutsideOfStrings(t *testing.T) {
	tests := map[string]struct {
		text string
		most int
		want bool
	}{
		"objects and their members":              {text: `{"a":{},"b":[1,2]}`, most: 5, want: true},
		"one more":                               {text: `{"a":{},"b":[1,2,3]}`, most: 5},
		"in strings nothing counts":              {text: `{"a":"{,[,{,["}`, most: 1, want: true},
		"a quotation mark in a string":           {text: `{"a":"\"{,[,{"}`, most: 1, want: true},
		"a backslash at the end of a string":     {text: `["\\",{},{}]`, most: 5, want: true},
		"what follows a backslash at the end":    {text: `["\\",{},{}]`, most: 4},
		"three backslashes and a quotation mark": {text: `["\\\",{},{}"]`, most: 1, want: true},
		"a string without an end":                {text: `["{,{,{,`, most: 1, want: true},
		"as deep as allowed":                     {text: strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting), most: 1_000, want: true},
		"deeper":                                 {text: strings.Repeat("[", maxNesting+1), most: 1_000},
		"nothing":                                {want: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkStructure([]byte(tt.text), tt.most)
			if (err == nil) != tt.want {
				t.Errorf("checkStructure(%q, %d) = %v", tt.text, tt.most, err)
			}
		})
	}
	text := []byte(strings.Repeat(`{"a":"\\\"x"},`, 100))
	if n := testing.AllocsPerRun(10, func() { _ = checkStructure(text, maxElements) }); n > 0 {
		t.Errorf("counting allocates %v times", n)
	}
}
