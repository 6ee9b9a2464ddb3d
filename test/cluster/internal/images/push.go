package images

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Transport returns a transport that reaches registry hosts through the proxy,
// directly if it is empty. The environment's proxies are not asked.
func Transport(proxy string) (http.RoundTripper, error) {
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	if proxy != "" {
		address, err := url.Parse(proxy)
		if err != nil {
			return nil, err
		}
		transport.Proxy = http.ProxyURL(address)
	}
	return transport, nil
}

// Reference returns the full reference of an image in the registry. The image
// may name the registry or leave it out.
func Reference(registry, image string) (name.Tag, error) {
	if registry == "" {
		return name.Tag{}, fmt.Errorf("naming image %q: this cluster has no registry; set E2E_REGISTRY to one that its nodes and you reach", image)
	}
	tag, err := name.NewTag(image, name.WithDefaultRegistry(registry))
	if err != nil {
		return name.Tag{}, err
	}
	if tag.RegistryStr() != registry {
		return name.Tag{}, fmt.Errorf("naming image %q: it is of registry %q and this cluster's is %q", image, tag.RegistryStr(), registry)
	}
	return tag, nil
}

// Push pushes the image under the tag and returns its reference by digest.
func Push(ctx context.Context, tag name.Tag, image v1.Image, transport http.RoundTripper) (name.Digest, error) {
	digest, err := image.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	if err := remote.Write(tag, image, remote.WithContext(ctx), remote.WithTransport(transport)); err != nil {
		return name.Digest{}, fmt.Errorf("pushing %s: %w", tag, err)
	}
	return tag.Context().Digest(digest.String()), nil
}
