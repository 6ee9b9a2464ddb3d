package registry

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// References do not show port 443, which plain HTTP would take for port 80.
func TestTheDefaultPortBehindPlainHTTP(t *testing.T) {
	tests := map[string]struct {
		listed Registry
		image  string
		// asked is the host that requests go to, and plain whether they may be plain HTTP.
		asked string
		plain bool
		// refused is another host to which plain HTTP must not go.
		refused string
	}{
		"listed with the port":            {Registry{Host: "r.example.com:443", PlainHTTP: true}, "r.example.com/web", "r.example.com:443", true, "r.example.com"},
		"listed and named with the port":  {Registry{Host: "r.example.com:443", PlainHTTP: true}, "r.example.com:443/web", "r.example.com:443", true, "r.example.com"},
		"listed without the port":         {Registry{Host: "r.example.com", PlainHTTP: true}, "r.example.com/web", "r.example.com", true, "r.example.com:443"},
		"listed with another port":        {Registry{Host: "r.example.com:5000", PlainHTTP: true}, "r.example.com:443/web", "r.example.com", false, "r.example.com:443"},
		"a word that needs its port":      {Registry{Host: "registry:443", PlainHTTP: true}, "registry:443/web", "registry:443", true, "registry"},
		"not plain, with the port":        {Registry{Host: "r.example.com:443", SkipTLSVerify: true}, "r.example.com/web", "r.example.com", false, "r.example.com:443"},
		"this machine with a certificate": {Registry{Host: "localhost:443", SkipTLSVerify: true}, "localhost/web", "localhost", false, "localhost:443"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, err := New(Config{Registries: []Registry{tt.listed}})
			if err != nil {
				t.Fatal(err)
			}
			ref, err := image.Parse(tt.image)
			if err != nil {
				t.Fatal(err)
			}
			way := client.routes(ref)[0]
			e, err := client.endpoint(way.host)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.registry.RegistryStr(); got != tt.asked || client.isPlain(got) != tt.plain {
				t.Errorf("%q is asked, by plain HTTP: %t; want %q, %t", got, client.isPlain(got), tt.asked, tt.plain)
			}
			if (e.registry.Scheme() == "http") != tt.plain {
				t.Errorf("the scheme is %s", e.registry.Scheme())
			}
			if client.isPlain(tt.refused) {
				t.Errorf("plain HTTP may go to %q", tt.refused)
			}
		})
	}
}

func TestARegistryWithAndWithoutTheDefaultPortIsOne(t *testing.T) {
	_, err := New(Config{Registries: []Registry{{Host: "r.example.com", PlainHTTP: true}, {Host: "r.example.com:443"}}})
	if err == nil {
		t.Error("both were taken, though images of one are images of the other")
	}
}

// stored is a keychain that goes by the text of the host.
type stored map[string]string

func (s stored) Resolve(target authn.Resource) (authn.Authenticator, error) {
	if password, found := s[target.RegistryStr()]; found {
		return &authn.Basic{Username: "rune", Password: password}, nil
	}
	return authn.Anonymous, nil
}

func TestCredentialsStoredWithTheDefaultPortAreFound(t *testing.T) {
	tests := map[string]struct {
		stored stored
		host   string
		want   string
	}{
		"stored without":            {stored{"r.example.com": "a"}, "r.example.com", "a"},
		"stored with":               {stored{"r.example.com:443": "b"}, "r.example.com", "b"},
		"stored both ways":          {stored{"r.example.com": "a", "r.example.com:443": "b"}, "r.example.com", "a"},
		"stored for another port":   {stored{"r.example.com:5000": "c"}, "r.example.com", ""},
		"asked at another port":     {stored{"r.example.com:443": "b"}, "r.example.com:5000", ""},
		"asked at the default port": {stored{"r.example.com:443": "b"}, "r.example.com:443", "b"},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			host, err := name.NewRegistry(tt.host)
			if err != nil {
				t.Fatal(err)
			}
			auth, err := lookUp(t.Context(), tt.stored, host.Repo("web"))
			if err != nil {
				t.Fatal(err)
			}
			config, err := auth.Authorization()
			if err != nil || config.Password != tt.want {
				t.Errorf("found %q, %v; want %q", config.Password, err, tt.want)
			}
		})
	}
}
