package drive

import (
	"context"
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
)

// Find returns the release that a command means: the named one, or the unfinished one of a
// deployment. Where that has none it is the newest one; it is an error that there never was any.
func Find(ctx context.Context, connection *connect.Connection, target subject.Subject) (*v1alpha1.Release, error) {
	if target.Kind == subject.Release {
		return connection.Release(ctx, connection.Namespace, target.Name)
	}
	releases, err := connection.Releases(ctx, connection.Namespace, target.Name)
	if err != nil {
		return nil, err
	}
	if unfinished := Unfinished(releases); unfinished != nil {
		return unfinished, nil
	}
	if len(releases) > 0 {
		return &releases[0], nil
	}
	// A deployment that does not exist is the likelier mistake, and the clearer message.
	if _, err := connection.Deployment(ctx, connection.Namespace, target.Name); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("deployment %q has no release in namespace %q", target.Name, connection.Namespace)
}

// Unfinished returns the release that has not ended; of several, which only other hands can make, the newest.
func Unfinished(releases []v1alpha1.Release) *v1alpha1.Release {
	for i := range releases {
		if !releases[i].Ended() {
			return &releases[i]
		}
	}
	return nil
}
