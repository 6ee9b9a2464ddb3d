package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// Policies are the Environments and ImagePolicies that judgements follow. They may be cached; an
// adapter confirms by a live read that an Environment is gone before it says so.
type Policies interface {
	// Environment returns an error for which apierrors.IsNotFound holds if there is none of this name.
	Environment(ctx context.Context, name string) (*v1alpha1.Environment, error)
	// EnvironmentOf returns the name of the Environment that a namespace belongs to (v1alpha1.Owner); empty if there
	// is none. What it says decides what is stamped and sealed, so an adapter reads the namespace's labels live.
	EnvironmentOf(ctx context.Context, namespace string) (string, error)
	// ImagePolicies returns all those that name the environment, in any order: the same pointers while nothing changed. An
	// error means that they could not be read; none is not an error.
	ImagePolicies(ctx context.Context, environment string) ([]*v1alpha1.ImagePolicy, error)
}

// Images asks registries. Both methods return an error for which errors.Is(err, image.ErrNotExist)
// holds where the registry knows no such image, and any other error where nobody could tell. Their
// errors are read by users: they name the registry and the cause.
type Images interface {
	// Resolve returns the digest that the reference's tag names now, or where the registry fails what it named when it
	// was last asked, and says so. It is not called for references with a digest.
	Resolve(ctx context.Context, access image.Access, ref image.Reference) (image.Resolution, error)
	// Verify says whether a digest satisfies one ImagePolicy: it does, or it definitely does not.
	Verify(ctx context.Context, question proof.Question) (proof.Finding, error)
}

// Objects reads the cluster live, never through a cache, and keeps every field that it does not know.
type Objects interface {
	// Get returns an error for which apierrors.IsNotFound holds if there is none.
	Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error)
	// List returns all objects of the kind in the namespace.
	List(ctx context.Context, kind schema.GroupVersionKind, namespace string) ([]unstructured.Unstructured, error)
}

// Access asks the API server's authorizer.
type Access interface {
	// Holds says whether a user has a verb on environments.rune.runeframeos.com/NAME. The answers for "deploy" may
	// be cached for seconds, by everything that the user is; all others are asked for every time.
	Holds(ctx context.Context, user authenticationv1.UserInfo, verb, environment string) (bool, error)
}

// Keys holds the key of the seals.
type Keys interface {
	// SealKey returns the same at least 32 random bytes to all replicas of the webhook, for good.
	SealKey(ctx context.Context) ([]byte, error)
}

// Recorder makes denials known where people look for them: as Events, for example.
type Recorder interface {
	// Denied is called once for each request that was denied, never for a dry run. It must not block.
	Denied(ctx context.Context, denial Denial)
}

// Denial is a request that was denied, and why.
type Denial struct {
	// Environment is empty where the request was about the configuration itself.
	Environment string
	// Request must not be changed.
	Request *admissionv1.AdmissionRequest
	// Rules that deny, sorted; none where nobody could judge.
	Rules []policy.Rule
	// Message that the user got.
	Message string
}
