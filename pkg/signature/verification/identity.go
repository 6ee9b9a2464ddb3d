package verification

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// identity is what a certificate must say of its owner.
type identity struct {
	issuer, subject text
	extensions      []extension
}

type extension struct {
	name  v1alpha1.ExtensionName
	value text
}

// text is matched exactly, or by an expression over the whole of it.
type text struct {
	exact      string
	expression *regexp.Regexp
}

// newText refuses neither and both: an identity that asks nothing would be anybody's.
func newText(field, exact, expression string) (text, error) {
	if (exact == "") == (expression == "") {
		return text{}, fmt.Errorf("%s: exactly one of the value and the regular expression must be set", field)
	}
	if expression == "" {
		return text{exact: exact}, nil
	}
	// Compiled alone first, so that it cannot close our group.
	if _, err := regexp.Compile(expression); err != nil {
		return text{}, fmt.Errorf("%s: %w", field, err)
	}
	compiled, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	if err != nil {
		return text{}, fmt.Errorf("%s: %w", field, err)
	}
	return text{expression: compiled}, nil
}

// matches is never true of what the certificate does not say.
func (t text) matches(value string) bool {
	switch {
	case value == "":
		return false
	case t.expression != nil:
		return t.expression.MatchString(value)
	default:
		return t.exact != "" && t.exact == value
	}
}

func newIdentities(wanted []v1alpha1.CertificateIdentity) ([]identity, error) {
	if len(wanted) == 0 {
		return nil, errors.New("keyless.identities: must name at least one, else everybody could sign")
	}
	var list []identity
	var problems []error
	for i, w := range wanted {
		field := fmt.Sprintf("keyless.identities[%d]", i)
		issuer, err := newText(field+".issuer", w.Issuer, w.IssuerRegExp)
		problems = append(problems, err)
		subject, err := newText(field+".subject", w.Subject, w.SubjectRegExp)
		problems = append(problems, err)
		one := identity{issuer: issuer, subject: subject}
		for _, e := range w.Extensions {
			value, err := newText(fmt.Sprintf("%s.extensions[%s]", field, e.Name), e.Value, e.RegExp)
			if _, known := extensionOf(certificate.Extensions{}, e.Name); err == nil && !known {
				err = fmt.Errorf("%s.extensions: %q is no extension of a Fulcio certificate", field, e.Name)
			}
			problems = append(problems, err)
			one.extensions = append(one.extensions, extension{name: e.Name, value: value})
		}
		list = append(list, one)
	}
	return list, errors.Join(problems...)
}

// mismatch says in words why a certificate is not of this identity; empty if it is.
func (i identity) mismatch(summary certificate.Summary) string {
	if !i.issuer.matches(summary.Issuer) || !i.subject.matches(summary.SubjectAlternativeName) {
		return fmt.Sprintf("signed by %s of issuer %s, who is not trusted", quote(summary.SubjectAlternativeName), quote(summary.Issuer))
	}
	for _, e := range i.extensions {
		value, _ := extensionOf(summary.Extensions, e.name)
		if !e.value.matches(value) {
			return fmt.Sprintf("its certificate says %s of %s, which is not trusted", quote(value), e.name)
		}
	}
	return ""
}

// extensionOf names extensions as https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md does.
func extensionOf(e certificate.Extensions, name v1alpha1.ExtensionName) (value string, known bool) {
	values := map[v1alpha1.ExtensionName]string{
		"BuildSignerURI":                      e.BuildSignerURI,
		"BuildSignerDigest":                   e.BuildSignerDigest,
		"RunnerEnvironment":                   e.RunnerEnvironment,
		"SourceRepositoryURI":                 e.SourceRepositoryURI,
		"SourceRepositoryDigest":              e.SourceRepositoryDigest,
		"SourceRepositoryRef":                 e.SourceRepositoryRef,
		"SourceRepositoryIdentifier":          e.SourceRepositoryIdentifier,
		"SourceRepositoryOwnerURI":            e.SourceRepositoryOwnerURI,
		"SourceRepositoryOwnerIdentifier":     e.SourceRepositoryOwnerIdentifier,
		"BuildConfigURI":                      e.BuildConfigURI,
		"BuildConfigDigest":                   e.BuildConfigDigest,
		"BuildTrigger":                        e.BuildTrigger,
		"RunInvocationURI":                    e.RunInvocationURI,
		"SourceRepositoryVisibilityAtSigning": e.SourceRepositoryVisibilityAtSigning,
	}
	value, known = values[name]
	return value, known
}

// maxQuoted bounds what is shown of a stranger's text, in bytes.
const maxQuoted = 256

func quote(text string) string {
	if len(text) > maxQuoted {
		return fmt.Sprintf("%q…", text[:maxQuoted])
	}
	return fmt.Sprintf("%q", text)
}
