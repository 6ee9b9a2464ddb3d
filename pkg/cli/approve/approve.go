package approve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/complete"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/view"
)

// Options of the command.
type Options struct {
	Release string
	Comment string

	connection *connect.Connection
	genericiooptions.IOStreams
}

const long = `Approve a release that waits for the consent of a second person.

What is being approved is shown on stderr. The approval covers exactly that pod template, counts as
long as the environment says, and is withdrawn by deleting the Approval. Whoever requested the release
cannot approve it; approving needs the RBAC verb "approve" on the environment:

  kubectl auth can-i approve environments.rune.runeframeos.com/production`

const example = `  # Approve release web-7 in namespace shop-prod
  kubectl rune approve release/web-7 -n shop-prod

  # The same, with a word for the record
  kubectl rune approve release/web-7 -n shop-prod --comment "load test looked fine"`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "approve release/NAME [--comment TEXT]",
		Short:             "Approve a release that another person requested",
		Long:              long,
		Example:           example,
		ValidArgsFunction: complete.Names(flags, subject.Release),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(flags, args); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.Comment, "comment", "", "a word for the record")
	return cmd
}

// Complete fills in what flags leave open.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags, args []string) error {
	target, err := subject.Parse(args, subject.Release)
	if err != nil {
		return err
	}
	o.Release = target.Name
	o.connection, err = connect.Open(flags, o.ErrOut)
	return err
}

// maxComment is the length that the Approval's schema allows, in bytes of the shortest encoding.
const maxComment = 1024

// Validate checks the flags.
func (o *Options) Validate() error {
	if len([]rune(o.Comment)) > maxComment {
		return fmt.Errorf("--comment is longer than %d characters", maxComment)
	}
	return nil
}

// Run creates the Approval.
func (o *Options) Run(ctx context.Context) error {
	release, stored, err := o.connection.StoredRelease(ctx, o.connection.Namespace, o.Release)
	if err != nil {
		return err
	}
	if release.Ended() {
		return fmt.Errorf("release/%s has ended (%s): there is nothing to approve", release.Name, release.Status.Phase)
	}
	lines, err := view.RawRequest(release, stored)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(o.ErrOut, line)
	}
	// The name only tells one person's Approvals apart; the webhook stamps the name that counts.
	user, err := o.connection.Username(ctx)
	if err != nil {
		return err
	}
	approval := newApproval(release, user, o.Comment)
	err = o.connection.Rune.Post().Namespace(release.Namespace).Resource("approvals").Body(approval).Do(ctx).Error()
	switch {
	case apierrors.IsAlreadyExists(err):
		return o.again(ctx, release, approval.Name)
	case err != nil:
		return fmt.Errorf("creating approval of release/%s: %w", release.Name, err)
	}
	_, err = fmt.Fprintf(o.Out, "%s approved\n", subject.Qualified(subject.Release, release.Name))
	return err
}

// again tells an approval that was given before from one of an earlier release of the same name.
func (o *Options) again(ctx context.Context, release *v1alpha1.Release, name string) error {
	earlier := &v1alpha1.Approval{}
	err := o.connection.Rune.Get().Namespace(release.Namespace).Resource("approvals").Name(name).Do(ctx).Into(earlier)
	if err != nil {
		return fmt.Errorf("reading approval %q: %w", name, err)
	}
	remove := fmt.Sprintf("kubectl delete approval %s -n %s", name, release.Namespace)
	if earlier.Spec.Release.UID != release.UID {
		return fmt.Errorf("your approval %q is of an earlier release %q: remove it with `%s`, then approve again", name, release.Name, remove)
	}
	fmt.Fprintf(o.ErrOut, "you had approved it before; if that has expired, renew it: `%s`, then approve again\n", remove)
	_, err = fmt.Fprintf(o.Out, "%s approved\n", subject.Qualified(subject.Release, release.Name))
	return err
}

func newApproval(release *v1alpha1.Release, user, comment string) *v1alpha1.Approval {
	return &v1alpha1.Approval{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindApproval},
		ObjectMeta: metav1.ObjectMeta{
			Name:      approvalName(release.Name, user),
			Namespace: release.Namespace,
			Labels:    map[string]string{v1alpha1.LabelWorkload: release.Spec.Workload.Name},
		},
		Spec: v1alpha1.ApprovalSpec{
			Release: v1alpha1.ReleaseReference{Name: release.Name, UID: release.UID},
			Comment: comment,
		},
	}
}

// approvalName gives one name per release and user: who approves twice meets the first approval.
func approvalName(release, user string) string {
	sum := sha256.Sum256([]byte(user))
	return release + "-" + hex.EncodeToString(sum[:])[:8]
}
