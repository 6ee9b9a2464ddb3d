package complete

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
)

// patience is how long a person waits after pressing TAB.
const patience = 2 * time.Second

// maxNames bounds the answer in very large namespaces.
const maxNames = 500

// Names completes the first argument to TYPE/NAME with the names in the command's namespace.
func Names(flags *genericclioptions.ConfigFlags, kinds ...subject.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		connection, err := connect.Open(flags, io.Discard)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), patience)
		defer cancel()
		var names []string
		for _, kind := range kinds {
			names = append(names, list(ctx, connection, kind)...)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func list(ctx context.Context, connection *connect.Connection, kind subject.Kind) []string {
	var names []string
	switch kind {
	case subject.Deployment:
		found, err := connection.Kube.AppsV1().Deployments(connection.Namespace).List(ctx, metav1.ListOptions{Limit: maxNames})
		if err != nil {
			return nil
		}
		for i := range found.Items {
			names = append(names, "deployment/"+found.Items[i].Name)
		}
	case subject.Release:
		found := &v1alpha1.ReleaseList{}
		request := connection.Rune.Get().Namespace(connection.Namespace).Resource("releases").Param("limit", "500")
		if err := request.Do(ctx).Into(found); err != nil {
			return nil
		}
		for i := range found.Items {
			names = append(names, "release/"+found.Items[i].Name)
		}
	}
	return names
}
