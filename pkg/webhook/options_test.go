package webhook

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// noImages is a verifier that is never asked.
type noImages struct{}

func (noImages) Resolve(context.Context, image.Access, image.Reference) (image.Resolution, error) {
	return image.Resolution{}, errors.New("not asked")
}

func (noImages) Verify(context.Context, proof.Question) (proof.Finding, error) {
	return proof.Finding{}, errors.New("not asked")
}

func (noImages) Load(context.Context) error { return nil }

func (noImages) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func makeNoImages(ImagesConfig) (Images, error) { return noImages{}, nil }

func TestOptions(t *testing.T) {
	tests := map[string]struct {
		options  Options
		wantPort int
		wantErr  string
	}{
		"the default port":           {options: Options{}, wantPort: 9443},
		"the port of the URL":        {options: Options{URL: "https://127.0.0.1:1234"}, wantPort: 1234},
		"a port behind a URL":        {options: Options{URL: "https://hooks.example", Port: 8443}, wantPort: 8443},
		"plain HTTP":                 {options: Options{URL: "http://127.0.0.1:1"}, wantErr: "https://HOST:PORT"},
		"a path in the URL":          {options: Options{URL: "https://127.0.0.1:1/x"}, wantErr: "nothing more"},
		"no host in the URL":         {options: Options{URL: "https://:1"}, wantErr: "https://HOST:PORT"},
		"a port that is none":        {options: Options{Port: 70000}, wantErr: "no port"},
		"a drain that goes backward": {options: Options{DrainDelay: -1}, wantErr: "negative"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.options.NewImages = makeNoImages
			err := test.options.validate()
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("error %v, want %q", err, test.wantErr)
				}
				return
			}
			if err != nil || test.options.Port != test.wantPort {
				t.Errorf("port %d, %v", test.options.Port, err)
			}
		})
	}
}

func TestNamesCoverHowTheAPIServerCalls(t *testing.T) {
	inCluster := (&Options{}).names("rune-system")
	if inCluster.DNS[0] != "rune-webhook.rune-system.svc" {
		t.Errorf("%v", inCluster.DNS)
	}
	outside := (&Options{URL: "https://10.1.2.3:9443"}).names("rune-system")
	if last := outside.IPs[len(outside.IPs)-1].String(); last != "10.1.2.3" {
		t.Errorf("%v", outside.IPs)
	}
	named := (&Options{URL: "https://hooks.example:9443"}).names("rune-system")
	if last := named.DNS[len(named.DNS)-1]; last != "hooks.example" {
		t.Errorf("%v", named.DNS)
	}
}
