package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Bounds of what is remembered about access.
const (
	// deployValidity is how long an answer about the verb deploy counts. A rollout by a tool asks it for
	// every object; whoever loses the right loses it this much later.
	deployValidity = 5 * time.Second
	// maxAnswers bounds the answers that are kept; the ones used least recently go first.
	maxAnswers = 4096
)

// access implements admission.Access by a SubjectAccessReview per question. Answers that grant the verb
// deploy are kept for seconds. Those about approvals, exemptions and the like are not: they are rare, they leave a
// seal behind, and a right that was taken away must not make one more.
type access struct {
	writer client.Writer
	// answers that grant deploy, by answerKey; nil keeps none.
	answers *cache.LRUExpireCache
}

func newAccess(writer client.Writer, c clock.PassiveClock) access {
	return access{writer: writer, answers: cache.NewLRUExpireCacheWithClock(maxAnswers, c)}
}

// answerKey is a hash over everything that an authorizer may look at.
type answerKey [sha256.Size]byte

// Holds implements admission.Access.
func (a access) Holds(ctx context.Context, user authenticationv1.UserInfo, verb, environment string) (bool, error) {
	if verb != v1alpha1.VerbDeploy || a.answers == nil {
		return a.ask(ctx, user, verb, environment)
	}
	key, err := keyOf(user, verb, environment)
	if err != nil {
		return false, err
	}
	if held, found := a.answers.Get(key); found {
		return held.(bool), nil
	}
	held, err := a.ask(ctx, user, verb, environment)
	if err != nil {
		return false, err
	}
	// A refusal is asked anew: whoever was just granted the right tries again at once.
	if held {
		a.answers.Add(key, held, deployValidity)
	}
	return held, nil
}

func keyOf(user authenticationv1.UserInfo, verb, environment string) (answerKey, error) {
	// JSON separates the parts and sorts the keys of extra.
	text, err := json.Marshal(struct {
		User              authenticationv1.UserInfo
		Verb, Environment string
	}{user, verb, environment})
	if err != nil {
		return answerKey{}, fmt.Errorf("reading user %q: %w", user.Username, err)
	}
	return sha256.Sum256(text), nil
}

// ask is one SubjectAccessReview.
func (a access) ask(ctx context.Context, user authenticationv1.UserInfo, verb, environment string) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   user.Username,
		UID:    user.UID,
		Groups: user.Groups,
		Extra:  extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group:    v1alpha1.GroupName,
			Version:  v1alpha1.Version,
			Resource: "environments",
			Name:     environment,
			Verb:     verb,
		},
	}}
	if err := a.writer.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking whether user %q holds the verb %q on Environment %q: %w", user.Username, verb, environment, err)
	}
	// An authorizer that failed may still have allowed; a denial with an error is no answer.
	if !review.Status.Allowed && review.Status.EvaluationError != "" {
		return false, fmt.Errorf("asking whether user %q holds the verb %q on Environment %q: %s",
			user.Username, verb, environment, review.Status.EvaluationError)
	}
	return review.Status.Allowed, nil
}
