package configuration

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// trustRootMediaType is how the media type of a trusted_root.json begins, whatever its version.
const trustRootMediaType = "application/vnd.dev.sigstore.trustedroot"

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

// trustNeeds are the parts of a trust root without which no signature could be verified.
type trustNeeds struct{ certificates, log, timestamps bool }

// trustRoot must have the shape of a trusted_root.json; the keys and certificates in it are read by who verifies.
func (p *problems) trustRoot(field, text string, needs trustNeeds) {
	var root struct {
		MediaType              string            `json:"mediaType"`
		TLogs                  []json.RawMessage `json:"tlogs"`
		CertificateAuthorities []json.RawMessage `json:"certificateAuthorities"`
		TimestampAuthorities   []json.RawMessage `json:"timestampAuthorities"`
	}
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		p.add(field, "is no trusted_root.json: %s", err)
		return
	}
	switch {
	case !strings.HasPrefix(root.MediaType, trustRootMediaType):
		p.add(field, "is no trusted_root.json: its mediaType is %q and must begin with %s", root.MediaType, trustRootMediaType)
	case needs.certificates && len(root.CertificateAuthorities) == 0:
		p.add(field, "has no certificateAuthorities, which keyless needs")
	case needs.log && len(root.TLogs) == 0:
		p.add(field, "has no tlogs, which transparencyLog: Required needs")
	case needs.timestamps && len(root.TimestampAuthorities) == 0:
		p.add(field, "has no timestampAuthorities, which timestamps: Required needs")
	}
}
