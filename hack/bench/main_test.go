package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestMiddle(t *testing.T) {
	tests := map[string]struct {
		values []float64
		want   float64
	}{
		"no value":                        {nil, 0},
		"one value":                       {[]float64{7}, 7},
		"an odd number, unsorted":         {[]float64{9, 1, 5}, 5},
		"an even number: the mean of two": {[]float64{4, 1, 2, 100}, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := middle(tt.values); got != tt.want {
				t.Errorf("middle(%v) = %v, want %v", tt.values, got, tt.want)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"no commands":                {nil, "no commands"},
		"a command without a name":   {[]string{"true"}, "not NAME=COMMAND"},
		"a program that is missing":  {[]string{"a=no-such-program-here"}, "finding the program"},
		"a program that fails":       {[]string{"-runs", "1", "a=false"}, `running "false"`},
		"a base that nobody carries": {[]string{"-runs", "1", "-against", "b", "a=true"}, `"b" names none`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := run(tt.args, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("run(%q) = %v, want an error with %q", tt.args, err, tt.want)
			}
		})
	}
}

func TestRunPrintsOneRowACommand(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-runs", "3", "-against", "first", "first=true", "second=true"}, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "1.00") {
		t.Errorf("got:\n%s\nwant a header and two rows, the first with ratio 1.00", out.String())
	}
}
