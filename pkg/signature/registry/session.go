package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	// sessionLife bounds the age of credentials and tokens: registries hand out tokens for minutes.
	sessionLife = 5 * time.Minute
	// maxRedirects of one request: to a storage, or to a registry's regional host.
	maxRedirects = 5
	// flightRequests is how many requests beginning a session takes: it is bounded by the time of as many.
	flightRequests = 3
)

// session asks one repository of one registry with one asker's credentials.
type session struct {
	endpoint   *endpoint
	repository name.Repository
	quota      *quota
	scheme     string
	http       *http.Client
	born       time.Time
	// note tells of pull secrets that could not be read.
	note string
	// ended is set when its credentials were refused, so that the next session reads them anew.
	ended atomic.Bool
}

// session returns the one that is kept, or begins it. Equal askers share the beginning.
func (e *endpoint) session(ctx context.Context, access Access, repository string) (*session, error) {
	key := sessionName(access, repository)
	e.mu.Lock()
	kept, found := e.sessions.Get(key)
	e.mu.Unlock()
	if found && kept.(*session).usable() {
		return kept.(*session), nil
	}
	return fly(ctx, e, "session "+key, func(ctx context.Context) (*session, error) {
		s, err := e.begin(ctx, access, repository)
		if err != nil {
			return nil, err
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.sessions.Add(key, s)
		return s, nil
	})
}

func sessionName(access Access, repository string) string { return access.Key() + " " + repository }

func (s *session) usable() bool {
	return !s.ended.Load() && s.endpoint.clock.Since(s.born) < sessionLife
}

func (e *endpoint) begin(ctx context.Context, access Access, repository string) (*session, error) {
	target := e.registry.Repo(repository)
	auth, note, err := e.client.credentials.resolve(ctx, access, target)
	if err != nil {
		return nil, err
	}
	if auth == nil { // All who have nothing of their own share one session.
		return e.session(ctx, Access{}, repository)
	}
	s := &session{
		endpoint: e, repository: target, quota: e.quota(sessionName(access, repository), e.repositories.of(repository)),
		born: e.clock.Now(), note: note,
	}
	challenge, err := e.currentChallenge(ctx)
	if err != nil {
		return nil, &sessionError{note: note, err: err}
	}
	s.scheme = "https"
	if challenge.Insecure {
		s.scheme = "http"
	}
	var token *transport.Token
	if strings.EqualFold(challenge.Scheme, "bearer") {
		if token, err = s.token(ctx, auth, challenge); err != nil {
			return nil, &sessionError{note: note, token: true, err: err}
		}
	}
	authenticated, err := transport.FromToken(e.registry, auth, e.connections, challenge, token)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask registry %q: %w", e.registry, err)
	}
	s.http = &http.Client{Transport: authenticated, CheckRedirect: checkRedirect}
	return s, nil
}

// token exchanges credentials for a token that can pull from the repository.
func (s *session) token(ctx context.Context, auth authn.Authenticator, challenge *transport.Challenge) (*transport.Token, error) {
	e := s.endpoint
	var token *transport.Token
	err := e.exchange(ctx, s.quota, func(ctx context.Context) error {
		given, err := authn.Authorization(ctx, auth)
		if err != nil {
			return &credentialsError{err: err}
		}
		if given.RegistryToken != "" {
			token = &transport.Token{Token: given.RegistryToken}
			return nil
		}
		token, err = transport.Exchange(ctx, e.registry, auth, e.connections, []string{s.repository.Scope(transport.PullScope)}, challenge)
		return err
	})
	if err != nil {
		return nil, err
	}
	token.Token = cmp.Or(token.Token, token.AccessToken)
	return token, nil
}

// currentChallenge pings the registry where that was not done lately.
func (e *endpoint) currentChallenge(ctx context.Context) (*transport.Challenge, error) {
	e.mu.Lock()
	kept, asked := e.challenge, e.asked
	e.mu.Unlock()
	if kept != nil && e.clock.Since(asked) < sessionLife {
		return kept, nil
	}
	return fly(ctx, e, "ping", func(ctx context.Context) (*transport.Challenge, error) {
		var challenge *transport.Challenge
		err := e.exchange(ctx, e.quota(pings, nil), func(ctx context.Context) (err error) {
			challenge, err = transport.Ping(ctx, e.registry, e.connections)
			return err
		})
		if err != nil {
			return nil, err
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.challenge, e.asked = challenge, e.clock.Now()
		return challenge, nil
	})
}

// fly lets those who need the same thing share one flight. It goes on when the first to ask goes
// away; each waits for no longer than its own context.
func fly[T any](ctx context.Context, e *endpoint, key string, work func(context.Context) (T, error)) (T, error) {
	results := e.flights.DoChan(key, func() (result any, err error) {
		// Answers are read by other people's parsers: what they do not survive must not end the process.
		defer func() {
			if cause := recover(); cause != nil {
				err = fmt.Errorf("reading an answer of registry %q: %v", e.registry, cause)
			}
		}()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightRequests*e.client.config.RequestTimeout)
		defer cancel()
		return work(ctx)
	})
	var none T
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case result := <-results:
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(T), nil
	}
}

// checkRedirect bounds redirects. That credentials stay with the registry, and that nothing goes on
// over plain HTTP, is seen to below it.
func checkRedirect(request *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return &answerError{cause: fmt.Sprintf("redirects more than %d times", maxRedirects)}
	}
	if request.URL.Scheme != "https" && via[0].URL.Scheme == "https" {
		return &answerError{cause: "redirects to plain HTTP"}
	}
	return nil
}

// url of a resource of the repository.
func (s *session) url(resource, reference string) *url.URL {
	return &url.URL{
		Scheme: s.scheme,
		Host:   s.repository.RegistryStr(),
		Path:   fmt.Sprintf("/v2/%s/%s/%s", s.repository.RepositoryStr(), resource, reference),
	}
}

// do asks and lets read have the answer if its status is among the expected ones (200 if none is
// named). It returns when the whole answer was read.
//
// A 404 that may be a proxy's, before a registry that is gone, counts only if the registry is there.
func (s *session) do(ctx context.Context, method string, target *url.URL, accept []string, read func(*http.Response) error, expected ...int) error {
	err := s.endpoint.exchange(ctx, s.quota, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
		if err != nil {
			return fmt.Errorf("preparing a request to registry %q: %w", s.endpoint.registry, err)
		}
		for _, mediaType := range accept {
			request.Header.Add("Accept", mediaType)
		}
		response, err := s.http.Do(request)
		if err != nil && statusOf(err) != 0 { // A token server's, which was asked for a new token.
			return &sessionError{note: s.note, token: true, err: err}
		}
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if err := checkStatus(response, append(expected, http.StatusOK)...); err != nil {
			return err
		}
		return read(response)
	})
	if errors.As(err, new(*doubtfulError)) {
		if failed := s.confirm(ctx); failed != nil {
			return failed
		}
	}
	if isRefusal(statusOf(err)) {
		s.ended.Store(true)
	}
	return err
}

// doubtfulError is a 404 that bears no sign of a registry. Ingress controllers answer so for what they
// have no way to.
type doubtfulError struct{ err error }

func (e *doubtfulError) Error() string { return e.err.Error() }

func (e *doubtfulError) Unwrap() error { return e.err }

// checkStatus returns a *transport.Error for a status that is not expected.
func checkStatus(response *http.Response, expected ...int) error {
	err := transport.CheckError(response, expected...)
	if err == nil {
		return nil
	}
	var answer *transport.Error
	if !errors.As(err, &answer) { // Its body is too large to be shown.
		answer = &transport.Error{StatusCode: response.StatusCode}
	}
	if answer.StatusCode == http.StatusNotFound && len(answer.Errors) == 0 && response.Header.Get("Docker-Distribution-Api-Version") == "" {
		return &doubtfulError{err: answer}
	}
	return answer
}

// confirm pings the registry, whatever is known of it.
func (s *session) confirm(ctx context.Context) error {
	e := s.endpoint
	err := e.exchange(ctx, e.quota(pings, nil), func(ctx context.Context) error {
		_, err := transport.Ping(ctx, e.registry, e.connections)
		return err
	})
	if err != nil {
		return &sessionError{note: s.note, err: err}
	}
	return nil
}
