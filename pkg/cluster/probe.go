package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Get implements engine.Prober through the API server's service proxy, so that it works from wherever
// the API server does.
func (c *Cluster) Get(ctx context.Context, p engine.Probe) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	uri := fmt.Sprintf("/api/v1/namespaces/%s/services/http:%s:%d/proxy/%s", p.Namespace, p.Service, p.Port, strings.TrimPrefix(p.Path, "/"))
	var code int
	// A retry inside the client would hide answers of the pod: 429 and 503 are results here.
	body, err := c.clients.CoreV1().RESTClient().Get().RequestURI(uri).MaxRetries(0).Do(ctx).StatusCode(&code).Raw()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return 0, fmt.Errorf("no answer within %s", p.Timeout)
	}
	if message, ours := fromAPIServer(code, body); ours {
		if strings.Contains(message, "no endpoints available") {
			return 0, engine.ErrNoEndpoints
		}
		return 0, errors.New(message)
	}
	if code != 0 {
		return code, nil
	}
	// Of an answer that is not in a format of the API's, such as plain text, only the error is left.
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Code > 0 {
		return int(status.Status().Code), nil
	}
	return 0, err
}

// fromAPIServer tells an answer of the API server itself, which reached no pod, from a pod's.
func fromAPIServer(code int, body []byte) (string, bool) {
	if code < http.StatusBadRequest {
		return "", false
	}
	var status metav1.Status
	if err := json.Unmarshal(body, &status); err != nil || status.Kind != "Status" || status.APIVersion != "v1" || status.Status != metav1.StatusFailure {
		return "", false
	}
	return status.Message, true
}
