package connect

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// unread warns of objects that this program cannot decode, of each once.
type unread struct {
	w    io.Writer
	mu   sync.Mutex
	seen map[string]bool
}

// WarnUnread tells of an object that cannot be read, unless that was told before.
func (c *Connection) WarnUnread(text string) { c.unread.warn(text) }

func (u *unread) warn(text string) {
	if u == nil || u.w == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seen == nil {
		u.seen = map[string]bool{}
	}
	if !u.seen[text] {
		u.seen[text] = true
		fmt.Fprintln(u.w, "warning: "+text)
	}
}

// list decodes the items of a list one by one. An object that nobody's types can read, such as a
// duration that is none, must not hide the others: it is left out with a warning that names it.
func list[T any](answer rest.Result, kind string, unread *unread) ([]T, error) {
	// Error decodes what the API server says; Raw does not.
	if err := answer.Error(); err != nil {
		return nil, err
	}
	raw, err := answer.Raw()
	if err != nil {
		return nil, err
	}
	var items struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("decoding the list: %w", err)
	}
	decoded := make([]T, 0, len(items.Items))
	for _, item := range items.Items {
		var object T
		if err := json.Unmarshal(item, &object); err != nil {
			unread.warn(leftOut(item, kind, err))
			continue
		}
		decoded = append(decoded, object)
	}
	return decoded, nil
}

func leftOut(item []byte, kind string, cause error) string {
	var named metav1.PartialObjectMetadata
	// Metadata is the API server's own and always fits.
	if err := json.Unmarshal(item, &named); err != nil {
		return fmt.Sprintf("a %s cannot be read and is left out: %v", kind, cause)
	}
	if named.Namespace == "" {
		return fmt.Sprintf("%s %q cannot be read and is left out: %v", kind, named.Name, cause)
	}
	return fmt.Sprintf("%s %q in namespace %q cannot be read and is left out: %v", kind, named.Name, named.Namespace, cause)
}
