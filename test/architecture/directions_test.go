package architecture

import (
	"strings"
	"testing"
)

func TestCheckDirections(t *testing.T) {
	ours := func(path string) string { return Module + "/" + path }
	tests := map[string]struct {
		from    string
		imports []string
		deps    []string
		// want is a part of each expected line, in order; none means that all imports are allowed.
		want []string
	}{
		"a pure package imports the standard library, the API and its listed friends": {
			from: ours("pkg/policy"),
			imports: []string{
				"strings", "time", "net/url", "encoding/json", "k8s.io/api/core/v1", "k8s.io/apimachinery/pkg/types",
				"k8s.io/pod-security-admission/policy", "github.com/google/cel-go/cel",
				ours("pkg/api/v1alpha1"), ours("pkg/templatehash"),
			},
		},
		"a pure package opens no file, socket or process": {
			from:    ours("pkg/release"),
			imports: []string{"net", "net/http", "os", "os/exec", "syscall"},
			want:    []string{"imports net/http:", "imports net:", "imports os/exec:", "imports os:", "imports syscall:"},
		},
		"k8s.io/apiserver is not k8s.io/api": {
			from:    ours("pkg/analysis"),
			imports: []string{"k8s.io/apiserver/pkg/admission"},
			want:    []string{"pkg/analysis imports k8s.io/apiserver/pkg/admission"},
		},
		"cel-go is for policy alone": {
			from:    ours("pkg/view"),
			imports: []string{"github.com/google/cel-go/cel"},
			want:    []string{"github.com/google/cel-go/cel"},
		},
		"a leaf imports no other pure package": {
			from:    ours("pkg/templatehash"),
			imports: []string{ours("pkg/release")},
			want:    []string{"pkg/templatehash imports"},
		},
		"the pure packages have an order": {
			from:    ours("pkg/release"),
			imports: []string{ours("pkg/analysis"), ours("pkg/view")},
			want:    []string{ours("pkg/view")},
		},
		"a subpackage is of its parent's layer": {
			from:    ours("pkg/policy/fixtures"),
			imports: []string{ours("pkg/policy"), "os"},
			want:    []string{"pkg/policy/fixtures imports os"},
		},
		"a pure package does not reach client-go through another one": {
			from: ours("pkg/policy"),
			deps: []string{"k8s.io/client-go/rest"},
			want: []string{"reaches k8s.io/client-go/rest"},
		},
		"the core imports pure packages": {
			from:    ours("pkg/engine"),
			imports: []string{ours("pkg/release"), ours("pkg/analysis"), "os", "k8s.io/utils/clock"},
		},
		"the core knows no adapter": {
			from:    ours("pkg/engine"),
			imports: []string{ours("pkg/cluster"), ours("pkg/apply")},
			want:    []string{ours("pkg/apply"), ours("pkg/cluster")},
		},
		"engine and admission do not know each other": {
			from:    ours("pkg/admission"),
			imports: []string{ours("pkg/engine")},
			want:    []string{ours("pkg/engine")},
		},
		"the core reaches no cluster by itself": {
			from: ours("pkg/admission"),
			deps: []string{"k8s.io/client-go/kubernetes", "sigs.k8s.io/controller-runtime/pkg/webhook"},
			want: []string{"reaches k8s.io/client-go/kubernetes", "reaches sigs.k8s.io/controller-runtime"},
		},
		"an adapter implements the core's interfaces and may apply": {
			from:    ours("pkg/cluster"),
			imports: []string{ours("pkg/engine"), ours("pkg/apply"), ours("pkg/release"), "k8s.io/client-go/kubernetes"},
		},
		"an adapter imports no other adapter": {
			from:    ours("pkg/webhook/serving"),
			imports: []string{ours("pkg/signature")},
			want:    []string{"pkg/webhook/serving imports " + ours("pkg/signature")},
		},
		"apply knows no adapter": {
			from:    ours("pkg/apply"),
			imports: []string{ours("pkg/cluster")},
			want:    []string{ours("pkg/cluster")},
		},
		"only signature imports sigstore": {
			from:    ours("pkg/cli/promote"),
			imports: []string{"github.com/sigstore/cosign/v2/pkg/cosign", ours("pkg/signature")},
			want:    []string{"github.com/sigstore/cosign/v2/pkg/cosign"},
		},
		"signature imports sigstore": {
			from:    ours("pkg/signature"),
			imports: []string{"github.com/sigstore/sigstore-go/pkg/verify"},
		},
		"cli wires": {
			from:    ours("pkg/cli/canary"),
			imports: []string{ours("pkg/cluster"), ours("pkg/engine"), ours("pkg/traffic"), ours("pkg/cli/connect")},
		},
		"a command wires": {
			from:    ours("cmd/webhook"),
			imports: []string{ours("pkg/webhook"), ours("pkg/signature"), ours("pkg/admission")},
		},
		"nothing but cmd and cli wires": {
			from:    ours("pkg/cluster"),
			imports: []string{ours("pkg/cli/connect")},
			want:    []string{"only cmd and cli wire"},
		},
		"a package that is on no map imports neither core nor adapters": {
			from:    ours("pkg/other"),
			imports: []string{ours("pkg/api/v1alpha1"), ours("pkg/engine"), ours("pkg/signature")},
			want:    []string{ours("pkg/engine"), ours("pkg/signature")},
		},
		"what measures uses the tests' registry": {
			from:    ours("hack/bench/admission"),
			imports: []string{ours("test/registry")},
		},
		"the product knows no test code": {
			from:    ours("cmd/kubectl-rune"),
			imports: []string{ours("test/e2e/cluster")},
			want:    []string{"the product knows no test code"},
		},
		"nothing imports a command": {
			from:    ours("test/e2e"),
			imports: []string{ours("cmd/webhook")},
			want:    []string{"nothing imports a command"},
		},
		"a foreign package is not judged": {
			from:    "k8s.io/client-go/rest",
			imports: []string{"os", "net"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := CheckDirections([]Package{{Path: test.from, Imports: test.imports, Deps: test.deps}})
			compare(t, got, test.want)
		})
	}
}

func TestCheckRequirements(t *testing.T) {
	got := CheckRequirements([]string{"k8s.io/api", Module + "/test/cluster", "k8s.io/kubernetes"})
	compare(t, got, []string{Module + "/test/cluster", "k8s.io/kubernetes"})
}

// compare wants one line per part, in order, each holding its part.
func compare(t *testing.T, got, parts []string) {
	t.Helper()
	if len(got) != len(parts) {
		t.Fatalf("got %d violations, want %d:\n%s", len(got), len(parts), strings.Join(got, "\n"))
	}
	for i, part := range parts {
		if !strings.Contains(got[i], part) {
			t.Errorf("violation %d = %q, want it to contain %q", i, got[i], part)
		}
	}
}
