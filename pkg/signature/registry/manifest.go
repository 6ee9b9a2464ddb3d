package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// maxManifest bounds a manifest, in bytes: what registries accept at least, by the distribution
// specification, and at most, as they are configured by default.
const maxManifest = 4 << 20

// Manifest as a registry holds it.
type Manifest struct {
	// MediaType as the manifest itself says, else as the registry says.
	MediaType string
	// Digest of Raw.
	Digest string
	Raw    []byte
}

// Head returns the digest that a reference without one names now. Where the reference has a digest it
// returns that, if the registry has it.
func (c *Client) Head(ctx context.Context, access Access, ref image.Reference) (string, error) {
	return ask(ctx, c, access, ref, func(ctx context.Context, s *session, _ bool) (string, error) {
		digest, err := s.head(ctx, ref)
		if err != nil || image.ValidDigest(digest) {
			return digest, err
		}
		manifest, err := s.manifest(ctx, ref)
		return manifest.Digest, err
	})
}

// Exists returns an error unless the registry has the manifest.
func (c *Client) Exists(ctx context.Context, access Access, ref image.Reference) error {
	_, err := c.Head(ctx, access, ref)
	return err
}

// Manifest returns a manifest of at most 4 MiB, by digest where the reference has one, else by tag. A
// larger one is ErrTooLarge.
func (c *Client) Manifest(ctx context.Context, access Access, ref image.Reference) (Manifest, error) {
	return ask(ctx, c, access, ref, func(ctx context.Context, s *session, _ bool) (Manifest, error) {
		return s.manifest(ctx, ref)
	})
}

// Blob returns a blob of a manifest. The size is what the manifest says, or negative if unknown; a
// blob that is larger than that or than Config.MaxBlob is ErrTooLarge and not read.
func (c *Client) Blob(ctx context.Context, access Access, ref image.Reference, digest string, size int64) ([]byte, error) {
	if !image.ValidDigest(digest) {
		return nil, fmt.Errorf("fetching a blob of %q: digest %q is not sha256 and 64 hexadecimal digits", ref, digest)
	}
	limit := c.config.MaxBlob
	if size > limit {
		return nil, explain(ref.Registry, "", tooLarge("blob "+digest, limit))
	}
	if size >= 0 {
		limit = size
	}
	return ask(ctx, c, access, ref, func(ctx context.Context, s *session, _ bool) ([]byte, error) {
		var content []byte
		err := s.do(ctx, http.MethodGet, s.url("blobs", digest), nil, func(response *http.Response) (err error) {
			content, err = readAll(response, "blob "+digest, limit)
			if err != nil {
				return err
			}
			return checkDigest(content, digest)
		})
		return content, err
	})
}

// named is the part of a reference that a registry is asked for.
func named(ref image.Reference) string {
	if ref.Digest != "" {
		return ref.Digest
	}
	return ref.Tag
}

// manifestTypes are all that a reference can name.
func manifestTypes() []string {
	return []string{
		string(types.OCIImageIndex), string(types.OCIManifestSchema1),
		string(types.DockerManifestList), string(types.DockerManifestSchema2),
	}
}

// head returns the digest in the header of the answer; what is no digest where there is none.
func (s *session) head(ctx context.Context, ref image.Reference) (string, error) {
	digest := ref.Digest
	err := s.do(ctx, http.MethodHead, s.url("manifests", named(ref)), manifestTypes(), func(response *http.Response) error {
		if digest == "" && response.StatusCode == http.StatusOK {
			digest = response.Header.Get("Docker-Content-Digest")
		}
		if response.StatusCode == http.StatusMethodNotAllowed {
			digest = ""
		}
		return nil
	}, http.StatusMethodNotAllowed)
	return digest, err
}

func (s *session) manifest(ctx context.Context, ref image.Reference) (Manifest, error) {
	var manifest Manifest
	err := s.do(ctx, http.MethodGet, s.url("manifests", named(ref)), manifestTypes(), func(response *http.Response) error {
		raw, err := readAll(response, "manifest "+named(ref), maxManifest)
		if err != nil {
			return err
		}
		if ref.Digest != "" {
			err = checkDigest(raw, ref.Digest)
		} else if !json.Valid(raw) { // The page of a proxy is no word of the registry.
			err = &answerError{cause: fmt.Sprintf("answered the request for tag %q with what is no manifest", ref.Tag)}
		}
		if err != nil {
			return err
		}
		manifest = Manifest{MediaType: mediaType(raw, response), Digest: digestOf(raw), Raw: raw}
		return nil
	})
	return manifest, err
}

// mediaType prefers the manifest's own word, which its digest covers, to the registry's.
func mediaType(raw []byte, response *http.Response) string {
	var own struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(raw, &own) == nil && own.MediaType != "" {
		return own.MediaType
	}
	return contentType(response)
}

func contentType(response *http.Response) string {
	parsed, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return parsed
}

func tooLarge(what string, limit int64) error {
	return &answerError{cause: fmt.Sprintf("has a %s of more than %d bytes", what, limit), err: ErrTooLarge}
}

// readAll reads a body of at most limit bytes. One that says that it is larger is not begun.
func readAll(response *http.Response, what string, limit int64) ([]byte, error) {
	if response.ContentLength > limit {
		return nil, tooLarge(what, limit)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, tooLarge(what, limit)
	}
	return content, nil
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func checkDigest(content []byte, digest string) error {
	if got := digestOf(content); got != digest {
		return &answerError{cause: fmt.Sprintf("answered the request for %s with other content, %s", digest, got)}
	}
	return nil
}
