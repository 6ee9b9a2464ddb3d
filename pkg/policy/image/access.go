package image

import (
	"slices"
	"strings"
)

// Access names the credentials with which a Pod's images are pulled. The zero value means those of whoever asks.
type Access struct {
	// Namespace of the Pod.
	Namespace string
	// ServiceAccount of the Pod, whose imagePullSecrets count too; empty means "default" where Namespace is set.
	ServiceAccount string
	// PullSecrets are the Pod's own imagePullSecrets, by name.
	PullSecrets []string
}

// Key identifies the credentials: equal keys have equal credentials at the same time.
func (a Access) Key() string {
	if a.Namespace == "" {
		return ""
	}
	account := a.ServiceAccount
	if account == "" {
		account = "default"
	}
	secrets := slices.Clone(a.PullSecrets)
	slices.Sort(secrets)
	return strings.Join(append([]string{a.Namespace, account}, slices.Compact(secrets)...), "/")
}
