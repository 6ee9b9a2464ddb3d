package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

const (
	// maxPages of one list of referrers, and maxIndex of all of them together, in bytes: some 20,000
	// referrers.
	maxPages = 32
	maxIndex = 16 << 20
)

// Descriptor of something that refers to an image.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations"`
}

// Referrers is what refers to a digest.
type Referrers struct {
	// Descriptors in the registry's order; each has a sha256 digest.
	Descriptors []Descriptor
	// Omitted is how many more there are at least that the caller wanted, or might have wanted, and
	// that were left out: beyond the limit, too large, or behind the end of what may be read.
	Omitted int
	// Fallback is true if they were read from the tag sha256-…, as the registry has no referrers API.
	Fallback bool
}

// Referrers returns what refers to the digest of a reference and keep wants, at most limit of them.
// Nothing is an answer and no error. Whatever is no descriptor is passed over. The list is read as a
// stream, so that memory is bounded by the limit and not by the list. Keep may be called again for the
// same descriptors, where a page is asked for again.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func (c *Client) Referrers(ctx context.Context, access Access, ref image.Reference, keep func(Descriptor) bool, limit int) (Referrers, error) {
	if ref.Digest == "" {
		return Referrers{}, fmt.Errorf("listing the referrers of %q: it names no digest", ref)
	}
	found, err := ask(ctx, c, access, ref, func(ctx context.Context, s *session, mirror bool) (Referrers, error) {
		found, err := s.referrers(ctx, ref.Digest, keep, limit)
		// A mirror may keep images only, so that nothing there is no proof.
		if err == nil && mirror && len(found.Descriptors) == 0 {
			return Referrers{}, errLacking
		}
		return found, err
	})
	return found, err
}

func (s *session) referrers(ctx context.Context, digest string, keep func(Descriptor) bool, limit int) (Referrers, error) {
	repository := s.repository.RepositoryStr()
	if !s.endpoint.referrersAPI.lacking(repository) {
		found, err := s.listed(ctx, digest, keep, limit)
		if isAbsent(err) { // The registry is there, so that it is the API that is not.
			s.endpoint.referrersAPI.remember(repository, false)
		} else if !errors.Is(err, errNoAPI) {
			return found, err
		}
	}
	return s.tagged(ctx, digest, keep, limit)
}

// errNoAPI says that a registry has no referrers API.
var errNoAPI = errors.New("it has no referrers API")

// listed asks the referrers API, page by page.
func (s *session) listed(ctx context.Context, digest string, keep func(Descriptor) bool, limit int) (Referrers, error) {
	var found Referrers
	left := int64(maxIndex)
	next := s.url("referrers", digest)
	for page := 0; next != nil; page++ {
		if page == maxPages || left == 0 || (page > 0 && len(found.Descriptors) >= limit) {
			found.Omitted = max(found.Omitted, 1)
			break
		}
		current := next
		var here Referrers
		var read int64
		err := s.do(ctx, http.MethodGet, current, []string{string(types.OCIImageIndex)}, func(response *http.Response) (err error) {
			if err := s.checkPage(response, page); err != nil {
				return err
			}
			here = Referrers{}
			if read, err = here.read(response.Body, left, keep, limit-len(found.Descriptors)); err != nil {
				return err
			}
			next, err = nextPage(current, response.Header)
			return err
		}, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented)
		if err != nil {
			return Referrers{}, err
		}
		found.Descriptors = append(found.Descriptors, here.Descriptors...)
		found.Omitted += here.Omitted
		left -= read
	}
	return found, nil
}

// checkPage refuses what is no list. Only the first page can say that there is no API: what any other
// says instead of the rest of the list leaves the rest unknown.
func (s *session) checkPage(response *http.Response, page int) error {
	switch {
	case page == 0:
		return s.checkAPI(response)
	case response.StatusCode != http.StatusOK:
		return &answerError{cause: fmt.Sprintf("began a list of referrers and %s for its page %d", statusWords(response.StatusCode), page+1)}
	case contentType(response) != string(types.OCIImageIndex):
		return &answerError{cause: fmt.Sprintf("began a list of referrers and answered with something else for its page %d", page+1)}
	}
	return nil
}

// checkAPI tells an answer of the referrers API from that of a registry without it, and remembers the
// latter for the repository. It does not remember what may be due to this one image: whoever can name images that do not
// exist could else hide the referrers of those that do.
func (s *session) checkAPI(response *http.Response) error {
	switch {
	case response.StatusCode == http.StatusOK && contentType(response) == string(types.OCIImageIndex):
		s.endpoint.referrersAPI.remember(s.repository.RepositoryStr(), true)
		return nil
	case response.StatusCode == http.StatusBadRequest:
		return &answerError{cause: errNoAPI.Error(), err: errNoAPI}
	case response.StatusCode == http.StatusNotFound:
		err := checkStatus(response)
		var known *transport.Error
		if errors.As(err, &known) && isAboutImage(known) {
			return &answerError{cause: errNoAPI.Error(), err: errNoAPI}
		}
		if errors.As(err, new(*doubtfulError)) {
			return err
		}
	case response.StatusCode == http.StatusOK: // A page of a proxy may pass.
		return &answerError{cause: errNoAPI.Error(), err: errNoAPI}
	}
	s.endpoint.referrersAPI.remember(s.repository.RepositoryStr(), false)
	return &answerError{cause: errNoAPI.Error(), err: errNoAPI}
}

func isAboutImage(answer *transport.Error) bool {
	for _, diagnostic := range answer.Errors {
		switch diagnostic.Code {
		case transport.NameUnknownErrorCode, transport.ManifestUnknownErrorCode, transport.ManifestBlobUnknownErrorCode:
			return true
		}
	}
	return false
}

// tagged reads the list that clients keep under a tag where a registry has no API.
func (s *session) tagged(ctx context.Context, digest string, keep func(Descriptor) bool, limit int) (Referrers, error) {
	found := Referrers{Fallback: true}
	target := s.url("manifests", strings.Replace(digest, ":", "-", 1))
	err := s.do(ctx, http.MethodGet, target, []string{string(types.OCIImageIndex)}, func(response *http.Response) error {
		found = Referrers{Fallback: true}
		_, err := found.read(response.Body, maxIndex, keep, limit)
		return err
	})
	if isAbsent(err) {
		return Referrers{Fallback: true}, nil
	}
	if err != nil {
		return Referrers{}, err
	}
	return found, nil
}

// read adds what a page lists. What it does not read, it counts as omitted.
func (r *Referrers) read(body io.Reader, bytes int64, keep func(Descriptor) bool, limit int) (int64, error) {
	oversized, read, err := readIndex(body, bytes, func(d Descriptor) {
		switch {
		case !keep(d):
		case len(r.Descriptors) < limit:
			r.Descriptors = append(r.Descriptors, d)
		default:
			r.Omitted++
		}
	})
	r.Omitted += oversized
	if errors.Is(err, errTruncated) {
		r.Omitted++
		err = nil
	}
	return read, err
}

// nextPage is the Link of RFC 8288 whose relation is next, nil where there is none. It must stay in
// the list that was asked for.
func nextPage(current *url.URL, header http.Header) (*url.URL, error) {
	for _, value := range header.Values("Link") {
		target, ok := nextLink(value)
		if !ok {
			continue
		}
		parsed, err := url.Parse(target)
		if err != nil {
			return nil, &answerError{cause: "names a next page of referrers that is no URL", err: err}
		}
		next := current.ResolveReference(parsed)
		if next.Scheme != current.Scheme || next.Host != current.Host || next.Path != current.Path {
			return nil, &answerError{cause: "names a next page of referrers that lies elsewhere"}
		}
		return next, nil
	}
	return nil, nil
}

// nextLink finds the target whose rel is next in `<target>; rel="next", <other>; rel="first"`.
func nextLink(value string) (string, bool) {
	for _, link := range strings.Split(value, "<")[1:] {
		target, parameters, found := strings.Cut(link, ">")
		if !found {
			continue
		}
		for _, parameter := range strings.Split(parameters, ";") {
			key, relations, _ := strings.Cut(strings.Trim(parameter, " ,"), "=")
			isNext := func(relation string) bool { return strings.EqualFold(relation, "next") }
			if strings.EqualFold(key, "rel") && slices.ContainsFunc(strings.Fields(strings.Trim(relations, `"`)), isNext) {
				return target, true
			}
		}
	}
	return "", false
}
