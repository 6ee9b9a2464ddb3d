package verification

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata/fetcher"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

const (
	// maxTrustRoot bounds a file with a trust root, in bytes; the public Sigstore's has 7 KB.
	maxTrustRoot = 1 << 20
	// trustRootTarget is the name of the trust root in Sigstore's TUF repository.
	trustRootTarget = "trusted_root.json"
)

// readTrustRoot returns a trust root and its digest. Without a reference it is the public Sigstore's.
func (v *Verifier) readTrustRoot(ctx context.Context, from *v1alpha1.TrustRoot) (root.TrustedMaterial, string, error) {
	var raw []byte
	var err error
	switch {
	case from == nil:
		raw, err = v.readPublicTrustRoot(ctx)
	case from.Data != "":
		raw = []byte(from.Data)
	case from.File != "":
		raw, err = v.sources.read(ctx, source{
			name:    fmt.Sprintf("file %q", from.File),
			read:    func(context.Context) ([]byte, error) { return readFile(from.File) },
			check:   checkTrustRoot,
			timeout: keyTimeout, soft: keySoft, hard: keyHard, grace: keyGrace,
		})
	default:
		err = errors.New("it must have exactly one of data and file")
	}
	if err != nil {
		return nil, "", err
	}
	material, err := parseTrustRoot(raw)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(raw)
	return material, "sha256:" + hex.EncodeToString(sum[:]), nil
}

func parseTrustRoot(raw []byte) (*root.TrustedRoot, error) {
	material, err := root.NewTrustedRootFromJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("it is no Sigstore trusted root: %w", err)
	}
	return material, nil
}

func checkTrustRoot(raw []byte) error {
	_, err := parseTrustRoot(raw)
	return err
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxTrustRoot+1))
	if err == nil && len(raw) > maxTrustRoot {
		err = unusable("it has more than %d bytes", maxTrustRoot)
	}
	return raw, err
}

// readPublicTrustRoot fetches the public Sigstore's trust root by TUF, once a day. While that fails, what was fetched
// before counts for a week, which is how long the repository's own metadata does.
func (v *Verifier) readPublicTrustRoot(ctx context.Context) ([]byte, error) {
	options := v.config.PublicSigstore
	if options.Mirror == "" {
		options.Mirror = tuf.DefaultMirror
	}
	if len(options.Root) == 0 {
		options.Root = tuf.DefaultRoot()
	}
	content, err := v.sources.read(ctx, source{
		name:    "the public Sigstore's trust root at " + options.Mirror,
		read:    func(ctx context.Context) ([]byte, error) { return fetch(ctx, options) },
		check:   checkTrustRoot,
		timeout: 30 * time.Second, soft: 24 * time.Hour, hard: 7 * 24 * time.Hour, grace: 7 * 24 * time.Hour,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: set trustRoot where this cluster cannot reach it", err)
	}
	return content, nil
}

// fetch keeps nothing on disk: whoever can write there could keep an old root alive.
func fetch(ctx context.Context, from PublicSigstore) ([]byte, error) {
	downloads := fetcher.NewDefaultFetcher()
	downloads.SetHTTPUserAgent("rune")
	downloads.SetHTTPClient(contextClient{ctx: ctx, client: &http.Client{Timeout: 10 * time.Second}})
	client, err := tuf.New(&tuf.Options{
		Root:              from.Root,
		RepositoryBaseURL: from.Mirror,
		DisableLocalCache: true,
		Fetcher:           downloads,
	})
	if err != nil {
		return nil, err
	}
	return client.GetTarget(trustRootTarget)
}

// contextClient bounds the requests of a library that takes no context.
type contextClient struct {
	ctx    context.Context
	client *http.Client
}

// Do sends a request, for no longer than the context.
func (c contextClient) Do(request *http.Request) (*http.Response, error) {
	return c.client.Do(request.WithContext(c.ctx))
}
