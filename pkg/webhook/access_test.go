package webhook

import (
	"context"
	"errors"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// authorizer counts the questions and answers each like the last one that was set.
type authorizer struct {
	asked   int
	allowed bool
	err     error
}

func (a *authorizer) access(t *testing.T, c *clocktesting.FakePassiveClock) access {
	t.Helper()
	return newAccess(interceptor.NewClient(newFakeClient(t), interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			a.asked++
			object.(*authorizationv1.SubjectAccessReview).Status.Allowed = a.allowed
			return a.err
		},
	}), c)
}

func TestOnlyAnswersAboutDeployAreKeptForSeconds(t *testing.T) {
	user := authenticationv1.UserInfo{
		Username: "bob", UID: "7", Groups: []string{"a", "b"},
		Extra: map[string]authenticationv1.ExtraValue{"scopes": {"x"}},
	}
	tests := map[string]struct {
		verb string
		// change makes the second question; nil asks the same again.
		change func(user *authenticationv1.UserInfo, environment *string)
		wait   time.Duration
		asked  int
	}{
		"the same question within five seconds": {verb: v1alpha1.VerbDeploy, wait: deployValidity - time.Millisecond, asked: 1},
		"the same question later":               {verb: v1alpha1.VerbDeploy, wait: deployValidity + time.Millisecond, asked: 2},
		"approve":                               {verb: v1alpha1.VerbApprove, asked: 2},
		"exempt":                                {verb: v1alpha1.VerbExempt, asked: 2},
		"update":                                {verb: "update", asked: 2},
		"another user":                          {verb: v1alpha1.VerbDeploy, change: func(u *authenticationv1.UserInfo, _ *string) { u.Username = "eve" }, asked: 2},
		"another uid":                           {verb: v1alpha1.VerbDeploy, change: func(u *authenticationv1.UserInfo, _ *string) { u.UID = "8" }, asked: 2},
		"other groups":                          {verb: v1alpha1.VerbDeploy, change: func(u *authenticationv1.UserInfo, _ *string) { u.Groups = []string{"a,b"} }, asked: 2},
		"other extra": {verb: v1alpha1.VerbDeploy, change: func(u *authenticationv1.UserInfo, _ *string) {
			u.Extra = map[string]authenticationv1.ExtraValue{"scopes": {"y"}}
		}, asked: 2},
		"another environment": {verb: v1alpha1.VerbDeploy, change: func(_ *authenticationv1.UserInfo, e *string) { *e = "staging" }, asked: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			a := &authorizer{allowed: true}
			access := a.access(t, c)
			if held, err := access.Holds(t.Context(), user, test.verb, "production"); err != nil || !held {
				t.Fatalf("%v, %v", held, err)
			}
			second, environment := *user.DeepCopy(), "production"
			if test.change != nil {
				test.change(&second, &environment)
			}
			c.SetTime(c.Now().Add(test.wait))
			a.allowed = false
			held, err := access.Holds(t.Context(), second, test.verb, environment)
			if err != nil || held != (test.asked == 1) {
				t.Errorf("second answer %v, %v", held, err)
			}
			if a.asked != test.asked {
				t.Errorf("asked %d times, want %d", a.asked, test.asked)
			}
		})
	}
}

func TestWhatNobodyCouldTellIsNotKept(t *testing.T) {
	c := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	a := &authorizer{err: errors.New("connection refused")}
	access := a.access(t, c)
	user := authenticationv1.UserInfo{Username: "bob"}
	if _, err := access.Holds(t.Context(), user, v1alpha1.VerbDeploy, "production"); !errors.Is(err, a.err) {
		t.Errorf("error %v", err)
	}
	a.err, a.allowed = nil, true
	if held, err := access.Holds(t.Context(), user, v1alpha1.VerbDeploy, "production"); err != nil || !held {
		t.Errorf("%v, %v", held, err)
	}
}

func TestARefusalIsNotKept(t *testing.T) {
	a := &authorizer{}
	access := a.access(t, clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
	user := authenticationv1.UserInfo{Username: "bob"}
	for _, allowed := range []bool{false, true} {
		a.allowed = allowed
		if held, err := access.Holds(t.Context(), user, v1alpha1.VerbDeploy, "production"); err != nil || held != allowed {
			t.Errorf("granted %v: %v, %v", allowed, held, err)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	c := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	access := (&authorizer{allowed: true}).access(t, c)
	for i := range maxAnswers + 10 {
		user := authenticationv1.UserInfo{Username: "u", UID: time.Duration(i).String()}
		if _, err := access.Holds(t.Context(), user, v1alpha1.VerbDeploy, "production"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(access.answers.Keys()); n > maxAnswers {
		t.Errorf("%d answers are kept", n)
	}
}
