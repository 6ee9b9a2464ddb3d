package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// next says what to do about everything that is not satisfied, each thing once.
func (i *inspector) next(ref image.Reference, answer *Image) []Step {
	var steps []Step
	add := func(more ...Step) {
		for _, step := range more {
			if !slices.Contains(steps, step) {
				steps = append(steps, step)
			}
		}
	}
	if len(answer.Environments) == 0 {
		add(i.cover(ref, ""))
	}
	for n := range answer.Environments {
		environment := &answer.Environments[n]
		if len(environment.Policies) == 0 {
			add(i.cover(ref, environment.Name))
		}
		for p := range environment.Policies {
			add(i.mend(ref, &environment.Policies[p])...)
		}
	}
	return steps
}

// mend says what to do about one policy.
func (i *inspector) mend(ref image.Reference, of *Policy) []Step {
	switch of.Result {
	case NoImage:
		return []Step{absent(ref)}
	case Unknown:
		return []Step{i.unknown(ref, of.Error)}
	case NotSatisfied:
	default:
		return nil
	}
	var steps []Step
	if !enoughSigned(of) {
		steps = append(steps, signing(ref, of)...)
	}
	for n := range of.Attestations {
		if !of.Attestations[n].Satisfied {
			steps = append(steps, i.attesting(ref, of, &of.Attestations[n]))
		}
	}
	return steps
}

// enoughSigned tells whether the authorities that signed are as many as a policy asks.
func enoughSigned(of *Policy) bool {
	counted := 0
	for n := range of.Authorities {
		if of.Authorities[n].counts() {
			counted++
		}
	}
	switch of.Require {
	case v1alpha1.RequireAttestationsOnly:
		return true
	case v1alpha1.RequireAll:
		return counted == len(of.Authorities)
	case v1alpha1.RequireAtLeast:
		return counted >= int(of.AtLeast)
	}
	return counted > 0
}

// signing says which authorities could sign: each where all must, else those of which some must.
func signing(ref image.Reference, of *Policy) []Step {
	var steps []Step
	for n := range of.Authorities {
		authority := &of.Authorities[n]
		if authority.counts() {
			continue
		}
		text := fmt.Sprintf("let authority %q sign the digest", authority.Name)
		if len(steps) > 0 && of.Require != v1alpha1.RequireAll {
			text = fmt.Sprintf("or authority %q", authority.Name)
		}
		who, flags := signer(of, authority.Name)
		steps = append(steps, Step{Text: text + who, Command: fmt.Sprintf("cosign sign%s %s", flags, pinned(ref))})
	}
	return steps
}

// attesting says how an attestation comes to be there. That which is there is too old, or says what it must not.
func (i *inspector) attesting(ref image.Reference, of *Policy, outcome *proof.AttestationOutcome) Step {
	asked := attestationNamed(of, outcome.Name)
	old := asked != nil && asked.MaxAge != nil && len(outcome.Reasons) == 1 && i.clock.Since(outcome.Time) > asked.MaxAge.Duration
	names := attesters(of, outcome.Name)
	text := fmt.Sprintf("attest %q", outcome.Name)
	switch {
	case outcome.Signature == nil:
	case old:
		text += " again"
	default:
		text += " again, once what it says is mended"
	}
	who, flags := "", ""
	if len(names) > 0 {
		who, flags = signer(of, names[0])
		text += fmt.Sprintf(", signed by %s", oneOf(names))
	}
	if len(names) > 1 {
		who = ""
	}
	return Step{
		Text:    text + who,
		Command: fmt.Sprintf("cosign attest%s --type %s --predicate FILE %s", flags, typed(outcome, of), pinned(ref)),
	}
}

// attesters are the authorities that may sign an attestation, by name.
func attesters(of *Policy, attestation string) []string {
	if of.source == nil {
		return nil
	}
	if asked := attestationNamed(of, attestation); asked != nil && len(asked.Authorities) > 0 {
		return asked.Authorities
	}
	var names []string
	for _, authority := range of.source.Spec.Authorities {
		names = append(names, authority.Name)
	}
	return names
}

// attestationNamed returns what a policy asks of an attestation, nil where it asks for none of the name.
func attestationNamed(of *Policy, name string) *v1alpha1.AttestationRequirement {
	if of.source == nil {
		return nil
	}
	asked := of.source.Spec.Attestations
	at := slices.IndexFunc(asked, func(a v1alpha1.AttestationRequirement) bool { return a.Name == name })
	if at < 0 {
		return nil
	}
	return &asked[at]
}

// signer says who an authority is, and with which flags cosign signs as that one.
func signer(of *Policy, name string) (who, flags string) {
	if of.source == nil {
		return "", ""
	}
	authority := authorityNamed(of.source.Spec, name)
	switch {
	case authority == nil:
		return "", ""
	case authority.Keyless != nil:
		return ", as " + identities(authority.Keyless), ""
	case authority.Key != nil && authority.Key.KMS != "":
		return "", " --key " + authority.Key.KMS
	}
	return "", " --key PRIVATE_KEY_OF_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// identities of which any one suffices; those behind the first are counted.
func identities(keyless *v1alpha1.KeylessAuthority) string {
	if len(keyless.Identities) == 0 {
		return "nobody"
	}
	first := keyless.Identities[0]
	text := orNot(first.Subject, first.SubjectRegExp)
	if issuer := orNot(first.Issuer, first.IssuerRegExp); issuer != "" {
		text += " (issuer " + issuer + ")"
	}
	if more := len(keyless.Identities) - 1; more > 0 {
		text += fmt.Sprintf(" or one of %d more identities", more)
	}
	return text
}

// oneOf lists quoted names.
func oneOf(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, " or ")
}

// pinned is what is signed: the digest, without a tag that may move meanwhile.
func pinned(ref image.Reference) string { return ref.Name() + "@" + ref.Digest }

// cover says how an image gets into a policy.
func (i *inspector) cover(ref image.Reference, environment string) Step {
	var near []string
	for n := range i.policies {
		spec := i.policies[n].policy.Spec
		if environment == "" || i.named || slices.Contains(spec.Environments, environment) {
			near = append(near, fmt.Sprintf("%q covers %s", i.policies[n].policy.Name, strings.Join(spec.Images, ", ")))
		}
	}
	text := fmt.Sprintf("add %s to spec.images of an ImagePolicy", ref.Name())
	if environment != "" {
		text += fmt.Sprintf(" that names environment %q in spec.environments", environment)
	}
	const few = 4
	if len(near) > few {
		near = append(near[:few], fmt.Sprintf("and %d more", len(near)-few))
	}
	if len(near) > 0 {
		text += "; " + strings.Join(near, "; ")
	}
	return Step{Text: text}
}

func absent(ref image.Reference) Step {
	return Step{Text: fmt.Sprintf("push the image, or mend its name: registry %q answered that it has none of it", ref.Registry)}
}

// unresolved says what to do where not even the digest is known.
func (i *inspector) unresolved(ref image.Reference, err error) []Step {
	if failed(err) == NoImage {
		return []Step{absent(ref)}
	}
	return []Step{i.unknown(ref, err.Error())}
}

// unknown says what to do about a registry that gave no answer, by the cause that the message names.
func (i *inspector) unknown(ref image.Reference, message string) Step {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(message, part) })
	}
	switch {
	case has("401", "403"):
		if i.access.Namespace != "" {
			return Step{Text: fmt.Sprintf("name pull secrets that are good for the registry with --pull-secret or --service-account, or log in yourself (namespace %q was asked)", i.access.Namespace),
				Command: "cosign login " + ref.Registry}
		}
		return Step{Text: "log in to the registry, or use the pull secrets of a namespace with -n NAMESPACE", Command: "cosign login " + ref.Registry}
	case has("x509:", "certificate"):
		return Step{Text: fmt.Sprintf("name the registry's certificate authority (caFile) in a RegistryConfiguration: --registries FILE, host %q", ref.Registry)}
	case has("HTTP response to HTTPS client"):
		return Step{Text: fmt.Sprintf("the registry speaks plain HTTP: allow that (plainHTTP: true) in a RegistryConfiguration: --registries FILE, host %q", ref.Registry)}
	}
	return Step{Text: "mend what the message names, then repeat this command: nothing is known about the image until then"}
}
