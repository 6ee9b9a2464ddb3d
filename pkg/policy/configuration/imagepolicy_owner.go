package configuration

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// publicSigstore is why identities without a trust root must name an owner.
const publicSigstore = "and the public Sigstore instance gives certificates to anybody"

// otherPins are the ways to say whose an identity is beside its subject.
const otherPins = "add an extension SourceRepositoryURI, SourceRepositoryOwnerURI or an identifier of them, or set a trustRoot"

// owned must be an identity that strangers cannot get: by its subject, or by an extension that names an owner.
func (p *problems) owned(field string, identity *v1alpha1.CertificateIdentity) {
	if identity.Subject != "" || readPattern(identity.SubjectRegExp) != nil {
		return // Wrong patterns are told as such.
	}
	cause := strangers(identity.SubjectRegExp, ownerOf)
	if cause == "" {
		return
	}
	for _, extension := range identity.Extensions {
		owner, names := extensionOwner(extension.Name)
		if names && (extension.Value != "" || (readPattern(extension.RegExp) == nil && strangers(extension.RegExp, owner) == "")) {
			return
		}
	}
	p.add(field+".subjectRegExp", "%q %s", identity.SubjectRegExp, cause)
	for n, extension := range identity.Extensions {
		if owner, names := extensionOwner(extension.Name); names && readPattern(extension.RegExp) == nil {
			p.add(fmt.Sprintf("%s.extensions[%d].regExp", field, n), "%q %s", extension.RegExp, strangers(extension.RegExp, owner))
		}
	}
}

// ownerFunc returns whose a text is; possible is false for texts that no certificate has.
type ownerFunc func(text string) (owner string, possible bool)

// extensionOwner tells whether an extension names an owner, and how.
func extensionOwner(name v1alpha1.ExtensionName) (ownerFunc, bool) {
	switch name {
	case "SourceRepositoryURI", "SourceRepositoryOwnerURI", "BuildConfigURI":
		return ownerOf, true
	case "SourceRepositoryIdentifier", "SourceRepositoryOwnerIdentifier":
		return func(text string) (string, bool) { return text, true }, true
	}
	return nil, false
}

// ownerOf is the account at a forge, the domain of a mail address or of a SPIFFE ID, else the text itself.
func ownerOf(text string) (string, bool) {
	if scheme, rest, found := strings.Cut(text, "://"); found {
		host, path, _ := strings.Cut(rest, "/")
		if scheme == "spiffe" {
			return scheme + "://" + host, host != ""
		}
		account, _, _ := strings.Cut(path, "/")
		return scheme + "://" + host + "/" + account, strings.Contains(host, ".")
	}
	if at := strings.LastIndexAny(text, "@!"); at >= 0 && !strings.Contains(text[at:], "/") {
		return text[at:], strings.Contains(text[at:], ".")
	}
	return text, true
}

// strangers says in words that follow a regular expression how it matches texts of owners that it does not name; it is
// empty where it matches none.
func strangers(pattern string, owner ownerFunc) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return ""
	}
	samples, complete := samplesOf(parsed)
	if !complete {
		return fmt.Sprintf("has too many alternatives to tell whom it trusts, %s: list several identities, and write \\. for each dot", publicSigstore)
	}
	for _, s := range samples {
		if !compiled.MatchString(s.one) || !compiled.MatchString(s.other) {
			continue
		}
		one, possible := owner(s.one)
		other, too := owner(s.other)
		if possible && too && one != other {
			return fmt.Sprintf("also matches what is a stranger's, for example %q, %s: %s; or %s", s.other, publicSigstore, cure(one, other), otherPins)
		}
	}
	return ""
}

// cure says how to write the pattern of two owners that have nothing to do with each other.
func cure(one, other string) string {
	common := one
	for !strings.HasPrefix(other, common) {
		common = common[:len(common)-1]
	}
	_, rest, isURL := strings.Cut(common, "://")
	_, account, behind := strings.Cut(rest, "/")
	switch {
	case isURL && behind && account != "":
		return fmt.Sprintf("write a / behind the owner's name %q", account)
	case isURL:
		return `name the owner with a / behind it, as in ^https://github\.com/OWNER/.*$, and write \. for each dot`
	}
	return `name the owner, as in ^https://github\.com/OWNER/.*$ or ^[^@]*@example\.com$, and write \. for each dot`
}
