package terminal

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestConfirmWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	err := Confirm(strings.NewReader("y\n"), &out, "Taking back release/web-7", false)
	if err == nil || !strings.Contains(err.Error(), "--yes") || out.Len() != 0 {
		t.Errorf("Confirm without a terminal gives %v and prints %q, want a refusal that names --yes", err, out.String())
	}
	if err := Confirm(strings.NewReader(""), &out, "Taking back release/web-7", true); err != nil || out.Len() != 0 {
		t.Errorf("Confirm with --yes gives %v and prints %q, want neither", err, out.String())
	}
}

func TestAsk(t *testing.T) {
	tests := map[string]struct {
		answer   string
		declined bool
	}{
		"y":                      {answer: "y\n"},
		"YES with blanks":        {answer: "  YES \n"},
		"no":                     {answer: "no\n", declined: true},
		"just Enter means no":    {answer: "\n", declined: true},
		"the end of input is no": {answer: "", declined: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := ask(strings.NewReader(test.answer), &out, "Rolling back deployment/web")
			var declined *Declined
			if errors.As(err, &declined) != test.declined || (err != nil) != test.declined {
				t.Errorf("the answer %q gives %v", test.answer, err)
			}
			if want := "Rolling back deployment/web? [y/N] "; out.String() != want {
				t.Errorf("asked %q, want %q", out.String(), want)
			}
		})
	}
}

func TestAskLeavesTheRestOfTheInput(t *testing.T) {
	in := strings.NewReader("y\nrest")
	if err := ask(in, &bytes.Buffer{}, "Going on"); err != nil {
		t.Fatal(err)
	}
	if in.Len() != len("rest") {
		t.Errorf("%d bytes are left, want %d", in.Len(), len("rest"))
	}
}
