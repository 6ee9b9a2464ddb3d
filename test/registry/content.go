package registry

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Media types of what is put into registries.
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
	emptyType    = "application/vnd.oci.empty.v1+json"
)

// errRefused is the registry's refusal of what a test puts in.
var errRefused = errors.New("the registry refuses it")

// Descriptor of a blob or manifest, by the OCI image specification.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	// Data and URLs, by which a manifest could send its reader elsewhere.
	URLs []string `json:"urls,omitempty"`
}

// ImageManifest by the OCI image specification.
type ImageManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        Descriptor        `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Subject       *Descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type indexManifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []Descriptor `json:"manifests"`
}

// Push puts in an image that is like no other, and returns its reference with tag and digest.
func (r *Registry) Push(repository, tag string) (image.Reference, error) {
	layer, err := r.Blob(repository, layerType, []byte(rand.Text()))
	if err != nil {
		return image.Reference{}, err
	}
	config, err := r.Blob(repository, configType, []byte(`{"architecture":"amd64","os":"linux"}`))
	if err != nil {
		return image.Reference{}, err
	}
	ref := image.Reference{Registry: r.host, Repository: repository, Tag: tag}
	descriptor, err := r.Manifest(repository, ImageManifest{Config: config, Layers: []Descriptor{layer}}, tag)
	ref.Digest = descriptor.Digest
	return ref, err
}

// Move lets a tag name what a digest of the same repository is.
func (r *Registry) Move(ref image.Reference, tag string) error {
	raw, mediaType, err := r.read(ref.Repository, ref.Digest)
	if err != nil {
		return err
	}
	return r.put(ref.Repository, tag, mediaType, raw)
}

// Manifest puts in an image's or artifact's manifest under its digest and further tags. Only what it
// holds is checked nowhere: it may name blobs that are not there.
func (r *Registry) Manifest(repository string, manifest ImageManifest, tags ...string) (Descriptor, error) {
	manifest.SchemaVersion, manifest.MediaType = 2, manifestType
	raw, err := json.Marshal(manifest)
	if err != nil {
		return Descriptor{}, fmt.Errorf("encoding a manifest: %w", err)
	}
	descriptor := describe(manifestType, raw)
	descriptor.ArtifactType, descriptor.Annotations = manifest.ArtifactType, manifest.Annotations
	for _, name := range append([]string{descriptor.Digest}, tags...) {
		if err := r.put(repository, name, manifestType, raw); err != nil {
			return Descriptor{}, err
		}
	}
	return descriptor, nil
}

// Blob puts in a blob.
func (r *Registry) Blob(repository, mediaType string, content []byte) (Descriptor, error) {
	descriptor := describe(mediaType, content)
	_, err := r.do(http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+descriptor.Digest, "application/octet-stream", content)
	return descriptor, err
}

func describe(mediaType string, content []byte) Descriptor {
	sum := sha256.Sum256(content)
	return Descriptor{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(content))}
}

func (r *Registry) put(repository, name, mediaType string, raw []byte) error {
	_, err := r.do(http.MethodPut, "/v2/"+repository+"/manifests/"+name, mediaType, raw)
	return err
}

// read returns a manifest and its media type, or errRefused.
func (r *Registry) read(repository, name string) (raw []byte, mediaType string, err error) {
	answer, err := r.do(http.MethodGet, "/v2/"+repository+"/manifests/"+name, "", nil)
	if err != nil {
		return nil, "", err
	}
	return answer.Body.Bytes(), answer.Header().Get("Content-Type"), nil
}

// do asks the registry itself, behind the switch.
func (r *Registry) do(method, target, contentType string, body []byte) (*httptest.ResponseRecorder, error) {
	request := httptest.NewRequest(method, target, bytes.NewReader(body)) //nolint:noctx // nothing waits: the handler is called
	request.Header.Set("Content-Type", contentType)
	answer := httptest.NewRecorder()
	r.content.ServeHTTP(answer, request)
	if answer.Code >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: %w: %d %s", method, target, errRefused, answer.Code, answer.Body)
	}
	return answer, nil
}
