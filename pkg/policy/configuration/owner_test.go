package configuration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/configuration"
)

func problemsOf(identity v1alpha1.CertificateIdentity, root *v1alpha1.TrustRoot) []configuration.Problem {
	identity.Issuer = "https://token.actions.githubusercontent.com"
	return configuration.ImagePolicy(&v1alpha1.ImagePolicy{Spec: v1alpha1.ImagePolicySpec{
		Images: []string{"r.local/**"}, Environments: []string{"production"},
		Authorities: []v1alpha1.Authority{{
			Name: "release", Keyless: &v1alpha1.KeylessAuthority{Identities: []v1alpha1.CertificateIdentity{identity}}, TrustRoot: root,
		}},
	}})
}

func TestSubjectsThatStrangersCanHaveAreRefused(t *testing.T) {
	const account, domain = `write a / behind the owner's name "acme"`, `or ^[^@]*@example\.com$`
	tests := map[string]string{
		`^.*$`:                       domain,
		`^.+$`:                       domain,
		`^(.*)$`:                     domain,
		`^https://github\.com/.*$`:   "name the owner with a / behind it",
		`^https://github.com/.*$`:    "name the owner with a / behind it",
		`^https://.*/acme/web/.*$`:   "name the owner",
		`^.*github\.com/acme/web.*$`: "name the owner",
		`^.*/acme/.*$`:               "name the owner",
		`^https://github\.com/[^/]+/release/\.github/workflows/release\.yaml@refs/heads/main$`: "name the owner",
		`^.*@refs/heads/main$`:                            "name the owner",
		`^.*/\.github/workflows/w\.yaml@refs/tags/v1\.0$`: "name the owner",
		`^https://github\.com/acme.*$`:                    account,
		`^https://github.com/acme.*$`:                     account,
		`^https://github\.com/acme[a-z-]*/web/.*$`:        account,
		`^https://github\.com/acme-?[0-9]+/.*$`:           "write a / behind the owner's name",
		`^https://github\.com/acmex*/.*$`:                 "write a / behind the owner's name",
		`^https://github\.com/([a-z]+-)*acme/.*$`:         "name the owner",
		`^https://github\.com/(acme/web|.*)$`:             "name the owner",
		`^https://github\.com/(acme/|)(web|.*)$`:          "name the owner",
		`^https://github\.com/acme/.*$|^.*@.*$`:           domain,
		`^https://ci.acme\.com/acme/.*$`:                  `write \. for each dot`,
		`^.*@.*$`:                                         domain,
		`^.*@[a-z]+\.com$`:                                domain,
		`^.*@.*acme\.com$`:                                domain,
		`^.*@mail.acme\.com$`:                             `write \. for each dot`,
		`^ann@[A-Z0-9.]+$`:                                domain,
		`^spiffe://.*/builders$`:                          "name the owner",
	}
	for pattern, want := range tests {
		t.Run(pattern, func(t *testing.T) {
			found := problemsOf(v1alpha1.CertificateIdentity{SubjectRegExp: pattern}, nil)
			if len(found) != 1 || found[0].Field != "spec.authorities[0].keyless.identities[0].subjectRegExp" ||
				!strings.Contains(found[0].Message, "also matches what is a stranger's, for example ") || !strings.Contains(found[0].Message, want) {
				t.Errorf("problems %+v, want one that says %q", found, want)
			}
			if found := problemsOf(v1alpha1.CertificateIdentity{SubjectRegExp: pattern}, &v1alpha1.TrustRoot{File: "/root.json"}); len(found) > 0 {
				t.Errorf("problems %+v of the same subject by a root of trust of one's own", found)
			}
		})
	}
}

func TestSubjectsOfOneOwnerAreTaken(t *testing.T) {
	for _, pattern := range []string{
		`^https://github\.com/acme/.*$`,
		`^https://github.com/acme/.*$`,
		`^https://github.com/acme/web/.github/workflows/.*.yaml@refs/(heads/main|tags/v.*)$`,
		`^https://github\.com/acme/[a-z-]+/\.github/workflows/release\.yaml@refs/heads/main$`,
		`^https://github\.com/acme/web.*$`,
		`^https://github\.com/(acme|umbrella)/(web|shop)/.*$`,
		`^https://github\.com/(acme1|acme2)/.*$`,
		`^(https://github\.com/acme/.*|ann@acme\.com)$`,
		`^https://github\.com/acme/.*$|^.*@acme\.com$`,
		`^https?://github\.com/acme/.*$`,
		`^https://gitlab\.com/acme/group/web//\.gitlab-ci\.yml@refs/heads/main$`,
		`(?i)^https://github\.com/acme/.*$`,
		`^[a-z]+@acme\.com$`,
		`^[^@]*@acme\.com$`,
		`^.*@acme.com$`,
		`^(ann|bob)@acme\.com$`,
		`^spiffe://acme\.com/builders/[a-z]+$`,
		`^https://github\.com/acme/web/\.github/workflows/w\.yaml@refs/tags/v[0-9]+\.[0-9]+\.[0-9]+$`,
	} {
		if strings.HasPrefix(pattern, "(?i)") {
			pattern = "^" + "(?i:" + strings.TrimSuffix(strings.TrimPrefix(pattern, "(?i)^"), "$") + ")$"
		}
		if found := problemsOf(v1alpha1.CertificateIdentity{SubjectRegExp: pattern}, nil); len(found) > 0 {
			t.Errorf("%s: problems %+v", pattern, found)
		}
	}
}

func TestExtensionsThatNameAnOwnerSuffice(t *testing.T) {
	tests := map[string]struct {
		extension v1alpha1.CertificateExtension
		// want are the fields of the problems, below the identity.
		want []string
	}{
		"a repository":                     {v1alpha1.CertificateExtension{Name: "SourceRepositoryURI", Value: "https://github.com/acme/web"}, nil},
		"repositories of one owner":        {v1alpha1.CertificateExtension{Name: "SourceRepositoryURI", RegExp: `^https://github\.com/acme/.*$`}, nil},
		"an owner":                         {v1alpha1.CertificateExtension{Name: "SourceRepositoryOwnerURI", Value: "https://github.com/acme"}, nil},
		"an owner's number":                {v1alpha1.CertificateExtension{Name: "SourceRepositoryOwnerIdentifier", Value: "4711"}, nil},
		"one of two numbers":               {v1alpha1.CertificateExtension{Name: "SourceRepositoryIdentifier", RegExp: "^(4711|4712)$"}, nil},
		"the workflow of an owner":         {v1alpha1.CertificateExtension{Name: "BuildConfigURI", RegExp: `^https://github\.com/acme/.*$`}, nil},
		"a branch of anybody":              {v1alpha1.CertificateExtension{Name: "SourceRepositoryRef", Value: "refs/heads/main"}, []string{".subjectRegExp"}},
		"anybody's event":                  {v1alpha1.CertificateExtension{Name: "BuildTrigger", Value: "push"}, []string{".subjectRegExp"}},
		"any repository":                   {v1alpha1.CertificateExtension{Name: "SourceRepositoryURI", RegExp: "^.*$"}, []string{".subjectRegExp", ".extensions[0].regExp"}},
		"an owner without an end":          {v1alpha1.CertificateExtension{Name: "SourceRepositoryURI", RegExp: `^https://github\.com/acme.*$`}, []string{".subjectRegExp", ".extensions[0].regExp"}},
		"any number":                       {v1alpha1.CertificateExtension{Name: "SourceRepositoryOwnerIdentifier", RegExp: "^[0-9]+$"}, []string{".subjectRegExp", ".extensions[0].regExp"}},
		"numbers that begin like an owner": {v1alpha1.CertificateExtension{Name: "SourceRepositoryOwnerIdentifier", RegExp: "^4711[0-9]*$"}, []string{".subjectRegExp", ".extensions[0].regExp"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found := problemsOf(v1alpha1.CertificateIdentity{SubjectRegExp: "^https://github.com/.*$", Extensions: []v1alpha1.CertificateExtension{tt.extension}}, nil)
			if len(found) != len(tt.want) {
				t.Fatalf("problems %+v, want %q", found, tt.want)
			}
			for i, field := range tt.want {
				if found[i].Field != "spec.authorities[0].keyless.identities[0]"+field {
					t.Errorf("problem %+v, want one of %s", found[i], field)
				}
			}
		})
	}
	loose := v1alpha1.CertificateExtension{Name: "SourceRepositoryURI", RegExp: "^.*$"}
	if found := problemsOf(v1alpha1.CertificateIdentity{SubjectRegExp: `^https://github\.com/acme/.*$`, Extensions: []v1alpha1.CertificateExtension{loose}}, nil); len(found) > 0 {
		t.Errorf("problems %+v of a subject that names its owner", found)
	}
}

// TestPatternsOfManyWaysAreJudgedInTime takes the largest that the schema lets in.
func TestPatternsOfManyWaysAreJudgedInTime(t *testing.T) {
	words := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("w%dx", i))
		}
		return "(" + strings.Join(all, "|") + ")"
	}
	for name, pattern := range map[string]string{
		"many alternatives":  `^https://github\.com/acme/` + words(60) + words(60) + words(60) + `$`,
		"many options":       `^https://github\.com/acme/` + strings.Repeat("(a|b)?.*", 200) + `$`,
		"nested repetitions": `^https://github\.com/acme/` + strings.Repeat("(", 400) + "[a-z]{900}" + strings.Repeat(")*", 400) + `$`,
		"dots":               `^https://github\.com/acme/` + strings.Repeat(".", 1900) + `$`,
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			found := problemsOf(v1alpha1.CertificateIdentity{SubjectRegExp: pattern}, nil)
			took := time.Since(began)
			t.Logf("%s: %d problems", took, len(found))
			if took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	found := problemsOf(v1alpha1.CertificateIdentity{SubjectRegExp: `^https://github\.com/acme/` + words(60) + words(60) + words(60) + `$`}, nil)
	if len(found) != 1 || !strings.Contains(found[0].Message, "too many alternatives") {
		t.Errorf("problems %+v", found)
	}
}
