package configuration

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// keyless identities must each match whole texts, and not everybody.
func (p *problems) keyless(field string, authority *v1alpha1.Authority) {
	identities := authority.Keyless.Identities
	if len(identities) == 0 {
		p.add(field+".identities", "names nobody: without identities anybody could sign")
	}
	for i := range identities {
		identity := &identities[i]
		at := fmt.Sprintf("%s.identities[%d]", field, i)
		p.matcher(at, "issuer", identity.Issuer, "issuerRegExp", identity.IssuerRegExp)
		p.matcher(at, "subject", identity.Subject, "subjectRegExp", identity.SubjectRegExp)
		seen := map[v1alpha1.ExtensionName]bool{}
		for n, extension := range identity.Extensions {
			extended := fmt.Sprintf("%s.extensions[%d]", at, n)
			p.matcher(extended, "value", extension.Value, "regExp", extension.RegExp)
			if seen[extension.Name] {
				p.add(extended+".name", "there are two extensions %q", extension.Name)
			}
			seen[extension.Name] = true
		}
		if authority.TrustRoot == nil {
			p.owned(at, identity)
		}
	}
}

// matcher is a text or a regular expression; one of them must be there.
func (p *problems) matcher(field, textName, text, patternName, pattern string) {
	if (text != "") == (pattern != "") {
		p.add(field, "must have exactly one of %s and %s", textName, patternName)
		return
	}
	if pattern != "" {
		if err := readPattern(pattern); err != nil {
			p.add(field+"."+patternName, "%s", err)
		}
	}
}

// readPattern fails where a regular expression would match parts of a text.
func readPattern(pattern string) error {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("is no regular expression (RE2): %w", err)
	}
	if !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") {
		return fmt.Errorf("%q must begin with ^ and end with $, else it would match parts of other identities", pattern)
	}
	if !anchored(parsed, syntax.OpBeginText, 0) || !anchored(parsed, syntax.OpEndText, -1) {
		return fmt.Errorf("%q is not anchored as a whole: one of its alternatives or its last character escapes ^ or $; write alternatives as ^(a|b)$", pattern)
	}
	return nil
}

// anchored tells whether every way to match begins (side 0) or ends (side -1) with an anchor.
func anchored(re *syntax.Regexp, anchor syntax.Op, side int) bool {
	if re.Op == anchor {
		return true
	}
	switch re.Op {
	case syntax.OpCapture:
		return anchored(re.Sub[0], anchor, side)
	case syntax.OpConcat:
		if side < 0 {
			return anchored(re.Sub[len(re.Sub)-1], anchor, side)
		}
		return anchored(re.Sub[0], anchor, side)
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !anchored(sub, anchor, side) })
	}
	return false
}
