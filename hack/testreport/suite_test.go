package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadSuite(t *testing.T) {
	tests := map[string]struct {
		events       []string
		wantLine     string
		wantProblems []string
	}{
		"passed and failed tests are counted, subtests included": {
			events: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/sub"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p","Test":"TestB"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			wantLine: "2 passed, 1 failed",
		},
		"a skipped test is a problem with its reason": {
			events: []string{
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: needs root\n"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestB"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			wantLine:     "1 passed, 0 failed, 1 skipped",
			wantProblems: []string{`suite "s" skipped p.TestB: b_test.go:7: needs root`},
		},
		"a skipped subtest is a problem even when its parent passes": {
			events: []string{
				`{"Action":"skip","Package":"p","Test":"TestA/sub"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
			},
			wantLine:     "1 passed, 0 failed, 1 skipped",
			wantProblems: []string{`suite "s" skipped p.TestA/sub: no reason given`},
		},
		"a package without test files is not a skipped test": {
			events: []string{
				`{"Action":"skip","Package":"empty"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
			},
			wantLine: "1 passed, 0 failed",
		},
		"a suite that ran no test is a problem": {
			events:       []string{`{"Action":"skip","Package":"empty"}`},
			wantLine:     "0 passed, 0 failed",
			wantProblems: []string{`suite "s" ran no test`},
		},
		"a package that does not build counts as failed": {
			events: []string{
				`{"Action":"build-output","ImportPath":"p","Output":"x.go:1: syntax error\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			wantLine: "0 passed, 1 failed",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := readSuite("s", strings.NewReader(strings.Join(test.events, "\n")))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.wantLine, s.String()); diff != "" {
				t.Errorf("closing line differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.wantProblems, s.problems()); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadSuiteRefusesATruncatedFile(t *testing.T) {
	_, err := readSuite("s", strings.NewReader(`{"Action":"pass","Test":"TestA"}`+"\n"+`{"Action":"sk`))
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("readSuite() error = %v, want one that names line 2", err)
	}
}

func TestRunFailsOnASkipOnlyWhenStrict(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.json")
	events := `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"
	if err := os.WriteFile(file, []byte(events), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{file}, true, false); err != nil {
		t.Errorf("run() outside of CI = %v, want nil", err)
	}
	err := run([]string{file}, true, true)
	if err == nil || !strings.Contains(err.Error(), `suite "node" skipped p.TestB`) {
		t.Errorf("run() in CI = %v, want the skipped test's name", err)
	}
}
