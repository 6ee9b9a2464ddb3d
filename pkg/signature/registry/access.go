package registry

import (
	"context"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Access says with whose pull secrets a registry is asked. The zero Access has those of this process only.
type Access struct {
	// Namespace of the Pod.
	Namespace string
	// ServiceAccount of the Pod, whose pull secrets count too.
	ServiceAccount string
	// PullSecrets are the names that the Pod lists itself.
	PullSecrets []string
}

// Key is equal for equal access and differs for different access. It is empty for the zero Access.
func (a Access) Key() string {
	if a.none() {
		return ""
	}
	// Quoted, so that no name can contain a separator.
	key := strconv.Quote(a.Namespace) + strconv.Quote(a.ServiceAccount)
	for _, name := range a.PullSecrets {
		key += strconv.Quote(name)
	}
	return key
}

func (a Access) none() bool {
	return a.Namespace == "" && a.ServiceAccount == "" && len(a.PullSecrets) == 0
}

// Secrets reads pull secrets: those named, and those of the service account. Names that do not exist
// are left out, as the kubelet leaves them out.
type Secrets interface {
	PullSecrets(ctx context.Context, namespace, serviceAccount string, names []string) ([]corev1.Secret, error)
}
