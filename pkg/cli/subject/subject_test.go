package subject

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		args     []string
		accepted []Kind
		want     Subject
		err      string
	}{
		"TYPE/NAME": {
			args: []string{"deployment/web"}, accepted: []Kind{Deployment}, want: Subject{Deployment, "web"},
		},
		"TYPE NAME": {
			args: []string{"deploy", "web"}, accepted: []Kind{Deployment}, want: Subject{Deployment, "web"},
		},
		"the API group may be written": {
			args: []string{"deployments.apps/web"}, accepted: []Kind{Deployment}, want: Subject{Deployment, "web"},
		},
		"the API version may be written": {
			args: []string{"deployment.v1.apps/web"}, accepted: []Kind{Deployment}, want: Subject{Deployment, "web"},
		},
		"a release as approve prints it": {
			args: []string{"release.rune.runeframeos.com/web-7"}, accepted: []Kind{Release}, want: Subject{Release, "web-7"},
		},
		"the short name of a release": {
			args: []string{"rel/web-7"}, accepted: []Kind{Deployment, Release}, want: Subject{Release, "web-7"},
		},
		"a release of another group is another kind": {
			args: []string{"release.helm.example.com/web"}, accepted: []Kind{Release}, err: `"release.helm.example.com"`,
		},
		"nothing": {
			accepted: []Kind{Deployment, Release}, err: "write deployment/NAME or release/NAME",
		},
		"a name without a type": {
			args: []string{"web"}, accepted: []Kind{Deployment}, err: `cannot read "web": write deployment/NAME`,
		},
		"a type without a name": {
			args: []string{"deployment/"}, accepted: []Kind{Deployment}, err: "the name of the deployment is missing",
		},
		"a kind that the command does not act on": {
			args: []string{"deployment/web"}, accepted: []Kind{Release}, err: `does not act on "deployment"`,
		},
		"an unknown kind": {
			args: []string{"statefulset/db"}, accepted: []Kind{Deployment}, err: `does not act on "statefulset"`,
		},
		"too many parts": {
			args: []string{"deployment/web/pod"}, accepted: []Kind{Deployment}, err: "cannot read",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.args, test.accepted...)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("Parse(%q) = %v, %v, want an error with %q", test.args, got, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Parse(%q) differs (-want +got):\n%s", test.args, diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("deployment/web")
	f.Add("release.rune.runeframeos.com/web-7")
	f.Add("/")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse([]string{text}, Deployment, Release)
		if err != nil {
			return
		}
		again, err := Parse([]string{got.String()}, Deployment, Release)
		if err != nil || again != got {
			t.Errorf("Parse(%q) = %v, but Parse of its own form gives %v, %v", text, got, again, err)
		}
	})
}
