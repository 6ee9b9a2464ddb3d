package verify

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// execute runs the command as a program would, in a directory with files and without a cluster.
func execute(t *testing.T, files map[string]string, args ...string) (code exit.Code, out, errOut string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KUBECONFIG", "none")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	var stdout, stderr bytes.Buffer
	command := newTestCommand(genericiooptions.IOStreams{Out: &stdout, ErrOut: &stderr})
	command.SetArgs(args)
	code = exit.Report(&stderr, command.ExecuteContext(t.Context()))
	return code, stdout.String(), stderr.String()
}

func newTestCommand(streams genericiooptions.IOStreams) *cobra.Command {
	root := &cobra.Command{Use: "rune", SilenceUsage: true, SilenceErrors: true}
	flags := genericclioptions.NewConfigFlags(true)
	flags.AddFlags(root.PersistentFlags())
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.AddCommand(NewCommand(flags, streams))
	return root
}

const livePolicy = `apiVersion: rune.runeframeos.com/v1alpha1
kind: ImagePolicy
metadata: {name: shop}
spec:
  images: ["HOST/shop/*"]
  environments: [production]
  authorities: [{name: release, key: {data: KEY}}]
`

func TestARealRegistryIsAsked(t *testing.T) {
	for name, referrers := range map[string]bool{"with the referrers API": true, "without it": false} {
		t.Run(name, func(t *testing.T) {
			r, err := registry.Start(t.Context(), registry.Options{Referrers: referrers})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
			key, err := registry.NewKey()
			if err != nil {
				t.Fatal(err)
			}
			ref, err := r.Push("shop/web", "v1")
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{"policy.yaml": strings.NewReplacer("HOST", r.Host(), "KEY", strconv.Quote(key.PEM)).Replace(livePolicy)}
			verify := []string{"verify", r.Host() + "/shop/web:v1", "--config", "policy.yaml"}
			code, out, errOut := execute(t, files, verify...)
			if code != exit.Denied || !strings.Contains(out, `FAIL  authority "release"  it has no signatures`) {
				t.Errorf("unsigned: exit code %d:\n%s%s", code, out, errOut)
			}
			if err := r.SignBundle(ref, key); err != nil {
				t.Fatal(err)
			}
			code, out, errOut = execute(t, files, verify...)
			if code != exit.Done || !strings.Contains(out, `ok    authority "release"  signed by key sha256:`) || !strings.Contains(out, "(format Bundle)") {
				t.Errorf("signed: exit code %d:\n%s%s", code, out, errOut)
			}
			if err := r.Break(t.Context(), registry.Stopped); err != nil {
				t.Fatal(err)
			}
			code, out, errOut = execute(t, files, verify...)
			if code != exit.Failed || !strings.Contains(out, "UNKNOWN") || !strings.Contains(out, "cannot be reached") {
				t.Errorf("stopped: exit code %d:\n%s%s", code, out, errOut)
			}
		})
	}
}

func TestARegistryThatHangsIsNotWaitedForBeyondTheTimeout(t *testing.T) {
	r, err := registry.Start(t.Context(), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if err := r.Break(t.Context(), registry.Hanging); err != nil {
		t.Fatal(err)
	}
	key, err := registry.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"policy.yaml": strings.NewReplacer("HOST", r.Host(), "KEY", strconv.Quote(key.PEM)).Replace(livePolicy)}
	begun := time.Now()
	code, out, _ := execute(t, files, "verify", r.Host()+"/shop/web:v1", "--config", "policy.yaml", "--timeout", "300ms")
	if took := time.Since(begun); code != exit.Failed || !strings.Contains(out, "did not answer in time") || took > 4*time.Second {
		t.Errorf("exit code %d after %s:\n%s", code, took, out)
	}
}

func TestWrongInputIsToldAtOnce(t *testing.T) {
	policy := strings.NewReplacer("HOST", "registry.example.com", "{data: KEY}", `{kms: "awskms:///alias/x"}`).Replace(livePolicy)
	files := map[string]string{"policy.yaml": policy, "environment.yaml": "apiVersion: rune.runeframeos.com/v1alpha1\nkind: Environment\nmetadata: {name: staging}\nspec: {namespaces: [x]}\n"}
	for args, want := range map[string]string{
		"": "nothing to verify",
		"Web:v1 registry.example.com/web@sha256:1 -o wide --timeout -1s":       `-o wide is unknown`,
		"registry.example.com/shop/web:v1":                                     "no ImagePolicies to verify by: name files that hold them with --config PATH",
		"registry.example.com/shop/web:v1 --config none.yaml":                  "reading --config",
		"registry.example.com/shop/web:v1 --config environment.yaml":           "--config environment.yaml holds no ImagePolicy",
		"registry.example.com/shop/web:v1 --config policy.yaml -e nowhere":     `environment "nowhere" does not exist, there are: production`,
		"registry.example.com/shop/web:v1 --config policy.yaml --policy x":     `ImagePolicy "x" does not exist, there are: shop`,
		"registry.example.com/shop/web:v1 --config policy.yaml -n shop":        "pull secrets are read from a cluster",
		"registry.example.com/shop/web:v1 --config policy.yaml --registries x": "reading --registries",
		"registry.example.com/shop/web:v1 --config . --tuf-mirror http://x":    "--tuf-mirror and --tuf-root need each other",
	} {
		code, out, errOut := execute(t, files, append([]string{"verify"}, strings.Fields(args)...)...)
		if code != exit.Failed || !strings.Contains(errOut, want) || out != "" {
			t.Errorf("%q: exit code %d, %q; want %q", args, code, errOut, want)
		}
	}
	_, _, errOut := execute(t, files, "verify", "Web:v1", "registry.example.com/web@sha256:1", "-o", "wide", "--timeout", "-1s")
	if lines := strings.Count(strings.TrimSpace(errOut), "\n") + 1; lines < 3 {
		t.Errorf("not all mistakes at once: %s", errOut)
	}
}

func TestNamesAreCompleted(t *testing.T) {
	files := map[string]string{"policy.yaml": strings.NewReplacer("HOST", "registry.example.com", "{data: KEY}", `{kms: "awskms:///alias/x"}`).Replace(livePolicy)}
	for flag, want := range map[string]string{"--environment": "production", "--policy": "shop"} {
		_, out, _ := execute(t, files, "__complete", "verify", "x", "--config", "policy.yaml", flag, "")
		if first, _, _ := strings.Cut(out, "\n"); first != want {
			t.Errorf("%s is completed to %q, want %q", flag, out, want)
		}
	}
}

// TestTheHelpNamesEveryFieldOfTheOutput keeps the schema in the help true.
func TestTheHelpNamesEveryFieldOfTheOutput(t *testing.T) {
	words := strings.FieldsFunc(long, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') })
	var missing []string
	for _, field := range fields(reflect.TypeFor[Report](), map[reflect.Type]bool{}) {
		if !slices.Contains(words, field) {
			missing = append(missing, field)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("fields that the help does not name (-want +got):\n%s", diff)
	}
	for _, value := range []any{Satisfied, NotSatisfied, NoPolicy, NoImage, Unknown, NotAsked, NoEnvironment, trustsKey, trustsKeyless,
		v1alpha1.EnforcementEnforce, v1alpha1.EnforcementWarn, v1alpha1.EnforcementAudit, v1alpha1.FormatTag, v1alpha1.FormatBundle} {
		if text := reflect.ValueOf(value).String(); !slices.Contains(words, text) {
			t.Errorf("the help does not name the value %s", text)
		}
	}
}

// fields are the names in JSON of a type and of all below it.
func fields(of reflect.Type, seen map[reflect.Type]bool) []string {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fields(of.Elem(), seen)
	case reflect.Struct:
	default:
		return nil
	}
	if seen[of] || of == reflect.TypeFor[time.Time]() {
		return nil
	}
	seen[of] = true
	var names []string
	for i := range of.NumField() {
		field := of.Field(i)
		if !field.IsExported() {
			continue
		}
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
		names = append(names, fields(field.Type, seen)...)
	}
	return names
}

func TestTheOutputIsJSONThatComesBack(t *testing.T) {
	stdout, _, _ := run(t, flows()["as-json"])
	var found Report
	if err := json.Unmarshal([]byte(stdout), &found); err != nil {
		t.Fatal(err)
	}
	if found.Kind != Kind || len(found.Images) != 1 || len(found.Images[0].Environments[0].Policies) != 2 {
		t.Errorf("%+v", found)
	}
}
