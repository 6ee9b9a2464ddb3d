package signature

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// absentError is the registry's answer that there is no such image.
type absentError struct{ registry string }

func (e absentError) Error() string {
	return fmt.Sprintf("registry %q answered that it has no such image", e.registry)
}

func (e absentError) Unwrap() error { return image.ErrNotExist }

// explain turns what the registry client says into what a person can act on.
func explain(registry string, err error) error {
	var answer *transport.Error
	var operation *net.OpError
	var request *url.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, image.ErrNotExist):
		return err
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Errorf("registry %q did not answer in time: %w", registry, context.DeadlineExceeded)
	case errors.As(err, &answer):
		return explainStatus(registry, answer)
	case errors.As(err, &operation):
		return fmt.Errorf("registry %q cannot be reached: %w", registry, operation)
	case errors.As(err, &request):
		return fmt.Errorf("registry %q cannot be reached: %w", registry, request.Err)
	}
	return fmt.Errorf("asking registry %q: %w", registry, err)
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

func explainStatus(registry string, answer *transport.Error) error {
	status := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	switch code := answer.StatusCode; {
	case code == http.StatusNotFound:
		return absentError{registry}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("registry %q refuses access (%s): it needs credentials that the webhook does not have, or has no such repository", registry, status)
	case code == http.StatusTooManyRequests:
		return fmt.Errorf("registry %q throttles requests (%s)", registry, status)
	case code >= http.StatusInternalServerError:
		return fmt.Errorf("registry %q fails (%s)", registry, status)
	}
	return fmt.Errorf("registry %q answered %s", registry, status)
}
