package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

const (
	// pageSize is the chunk that the API server itself recommends to controllers (KEP-365).
	pageSize = 500
	// maxRestarts bounds how often a list begins anew because its continue token expired.
	maxRestarts = 5
)

// kind is a kind of objects with pods and where it is served.
type kind struct {
	schema.GroupVersionKind
	resource string
	// declared by an Environment, not built in.
	declared bool
}

// String is how kubectl names the resource: "deployments.apps".
func (k kind) String() string {
	return schema.GroupResource{Group: k.Group, Resource: k.resource}.String()
}

// path of the kind's list in a namespace.
func (k kind) path(namespace string) string {
	if k.Group == "" {
		return "/api/" + k.Version + "/namespaces/" + namespace + "/" + k.resource
	}
	return "/apis/" + k.Group + "/" + k.Version + "/namespaces/" + namespace + "/" + k.resource
}

// item is one object of a list: what an audit asks of every kind, and its JSON.
type item struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name            string                  `json:"name"`
		UID             types.UID               `json:"uid"`
		Annotations     map[string]string       `json:"annotations"`
		OwnerReferences []metav1.OwnerReference `json:"ownerReferences"`
	} `json:"metadata"`
	// Status of a kind that nobody knows may be anything.
	Status json.RawMessage `json:"status"`
	raw    json.RawMessage
}

// controller of the object, nil where it has none.
func (i *item) controller() *metav1.OwnerReference {
	for at := range i.Metadata.OwnerReferences {
		if owner := &i.Metadata.OwnerReferences[at]; owner.Controller != nil && *owner.Controller {
			return owner
		}
	}
	return nil
}

// page is the part of a list that this program reads.
type page struct {
	Metadata metav1.ListMeta   `json:"metadata"`
	Items    []json.RawMessage `json:"items"`
}

// pages lists a kind in a namespace page by page and visits each object once; ahead sees all of a page before. A list whose continue token
// expired begins anew, and what was visited is left out then. The JSON is only valid during the visit.
func pages(ctx context.Context, client rest.Interface, k kind, namespace string, ahead func([]*item), visit func(*item) error) error {
	seen := map[types.UID]bool{}
	next, restarts := "", 0
	for {
		current, err := onePage(ctx, client, k, namespace, next)
		if next != "" && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) && restarts < maxRestarts {
			next, restarts = "", restarts+1
			continue
		}
		if err != nil {
			return err
		}
		objects, err := current.objects(k, namespace, seen)
		if err != nil {
			return err
		}
		ahead(objects)
		for _, object := range objects {
			if err := visit(object); err != nil {
				return err
			}
		}
		if next = current.Metadata.Continue; next == "" {
			return nil
		}
	}
}

// objects decodes those of a page that were not seen before.
func (p *page) objects(k kind, namespace string, seen map[types.UID]bool) ([]*item, error) {
	objects := make([]*item, 0, len(p.Items))
	for _, raw := range p.Items {
		object := &item{raw: raw}
		if err := json.Unmarshal(raw, object); err != nil {
			return nil, fmt.Errorf("decoding the list of %s in namespace %q: %w", k, namespace, err)
		}
		if uid := object.Metadata.UID; uid != "" {
			if seen[uid] {
				continue
			}
			seen[uid] = true
		}
		if object.Kind == "" {
			object.raw = typed(raw, k.GroupVersionKind)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

func onePage(ctx context.Context, client rest.Interface, k kind, namespace, next string) (*page, error) {
	request := client.Get().AbsPath(k.path(namespace)).SetHeader("Accept", "application/json").
		Param("limit", strconv.Itoa(pageSize))
	if next != "" {
		request = request.Param("continue", next)
	}
	answer := request.Do(ctx)
	// Error decodes what the API server says; Raw does not.
	if err := answer.Error(); err != nil {
		return nil, err
	}
	raw, err := answer.Raw()
	if err != nil {
		return nil, err
	}
	current := &page{}
	if err := json.Unmarshal(raw, current); err != nil {
		return nil, fmt.Errorf("decoding the list of %s in namespace %q: %w", k, namespace, err)
	}
	return current, nil
}

// typed adds apiVersion and kind, which the API server leaves out of the items of lists, so that custom rules
// see the same object as at admission.
func typed(raw json.RawMessage, gvk schema.GroupVersionKind) json.RawMessage {
	body := bytes.TrimLeft(raw, " \t\r\n")
	if !bytes.HasPrefix(body, []byte("{")) {
		return raw
	}
	start := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,`, gvk.GroupVersion().String(), gvk.Kind)
	return append([]byte(start), body[1:]...)
}

// unreadable tells an answer of the API server about one list, after which the rest can go on, from a
// failure to reach it.
func unreadable(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}
