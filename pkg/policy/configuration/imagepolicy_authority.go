package configuration

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// authorities must each be a signer of its own whose signatures can be verified.
func (p *problems) authorities(spec *v1alpha1.ImagePolicySpec) {
	names := map[string]bool{}
	for i := range spec.Authorities {
		authority := &spec.Authorities[i]
		field := fmt.Sprintf("spec.authorities[%d]", i)
		if names[authority.Name] {
			p.add(field+".name", "there are two authorities %q", authority.Name)
		}
		names[authority.Name] = true
		switch {
		case (authority.Key != nil) == (authority.Keyless != nil):
			p.add(field, "must have exactly one of key and keyless")
			continue
		case authority.Key != nil:
			p.key(field+".key", authority.Key)
		default:
			p.keyless(field+".keyless", authority)
		}
		p.proofs(field, authority)
		if spec.Require == v1alpha1.RequireAll || spec.Require == v1alpha1.RequireAtLeast {
			p.distinct(field, authority, spec.Authorities[:i])
		}
	}
}

// distinct says that an authority is the same signer as one before it: the two would count once.
func (p *problems) distinct(field string, authority *v1alpha1.Authority, before []v1alpha1.Authority) {
	for i := range before {
		same := authority.Keyless != nil && reflect.DeepEqual(authority.Keyless, before[i].Keyless)
		if authority.Key != nil && before[i].Key != nil {
			same = sameKey(authority.Key, before[i].Key)
		}
		if same {
			p.add(field, "%q is the same signer as %q, and one signer counts once", authority.Name, before[i].Name)
			return
		}
	}
}

// proofs must have keys by which they can be checked; without one of a keyless signature's time, an expired certificate could sign.
func (p *problems) proofs(field string, authority *v1alpha1.Authority) {
	log, timestamps := authority.TransparencyLog, authority.Timestamps
	if log == "" && authority.Keyless != nil {
		log = v1alpha1.PresenceRequired
	}
	required := log == v1alpha1.PresenceRequired || timestamps == v1alpha1.PresenceRequired
	switch {
	case authority.Keyless != nil && !required:
		p.add(field, "a keyless signature needs a trusted time: transparencyLog or timestamps must be Required, else an expired certificate could sign")
	case authority.Key != nil && required && authority.TrustRoot == nil:
		p.add(field, "a key with transparencyLog or timestamps Required needs a trustRoot that names their keys")
	}
	root := authority.TrustRoot
	switch {
	case root == nil:
	case (root.Data != "") == (root.File != ""):
		p.add(field+".trustRoot", "must have exactly one of data and file")
	case root.File != "" && !strings.HasPrefix(root.File, "/"):
		p.add(field+".trustRoot.file", "%q is no absolute path", root.File)
	case root.Data != "":
		p.trustRoot(field+".trustRoot.data", root.Data, trustNeeds{
			certificates: authority.Keyless != nil, log: log == v1alpha1.PresenceRequired, timestamps: timestamps == v1alpha1.PresenceRequired,
		})
	}
}
