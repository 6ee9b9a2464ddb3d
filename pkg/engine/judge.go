package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/analysis"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// judgePods fails at the first sign that the new pods cannot work. It returns what is not well yet.
func (d *driver) judgePods(ctx context.Context, owner *Deployment) (string, error) {
	if why := refusedPods(&owner.Deployment); why != "" {
		return "", &failure{message: why}
	}
	pods, err := d.newPods(ctx, owner)
	if err != nil {
		return "", err
	}
	verdict, list := analysis.Pods(pods, d.rel.CreationTimestamp.Time)
	for _, f := range list {
		d.trouble(f.String())
	}
	switch verdict {
	case analysis.Fail:
		return "", &failure{message: findings(list)}
	case analysis.Hold:
		return findings(list), nil
	default:
		return "", nil
	}
}

func (d *driver) trouble(message string) {
	if message == d.said {
		return
	}
	d.said = message
	d.event(Event{Type: EventTrouble, Message: message})
}

// refusedPods reads from a Deployment's conditions that its pods cannot be created, or that it has
// given up by its own progress deadline.
func refusedPods(d *appsv1.Deployment) string {
	if !release.Observed(d) {
		return ""
	}
	if c := release.Condition(d, appsv1.DeploymentReplicaFailure); c != nil && c.Status == corev1.ConditionTrue {
		for _, final := range []string{"denied the request", "exceeded quota", "violates PodSecurity", "is invalid", "must specify"} {
			if strings.Contains(c.Message, final) {
				return fmt.Sprintf("no pod can be created: %s", c.Message)
			}
		}
	}
	if c := release.Condition(d, appsv1.DeploymentProgressing); c != nil && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" {
		return fmt.Sprintf("Deployment %q made no progress within its progressDeadlineSeconds: %s", d.Name, c.Message)
	}
	return ""
}

// Defaults of a SmokeTest that did not pass through the API server's defaulting.
const (
	defaultStatus  = http.StatusOK
	defaultTimeout = 10 * time.Second
)

// smoke runs all smoke tests once. ready is false while the Service has no endpoints yet.
func (d *driver) smoke(ctx context.Context) (ready bool, err error) {
	ports, err := release.PreviewPorts(d.rel.Spec.Delivery.SmokeTests, &d.rel.Spec.To)
	if err != nil {
		return false, &failure{message: err.Error()}
	}
	var failed []string
	for i, test := range d.rel.Spec.Delivery.SmokeTests {
		result, err := d.smokeTest(ctx, test, ports[i])
		if errors.Is(err, ErrNoEndpoints) {
			return false, d.noEndpoints()
		}
		if err != nil {
			return false, err
		}
		d.event(Event{Type: EventSmoke, Message: result.String(), Smoke: &result})
		if result.Verdict() != analysis.Pass {
			failed = append(failed, result.String())
		}
	}
	d.unreached = time.Time{}
	if len(failed) > 0 {
		return true, &failure{message: "smoke test " + strings.Join(failed, "; ")}
	}
	return true, nil
}

func (d *driver) noEndpoints() error {
	now := d.opts.Clock.Now()
	if d.unreached.IsZero() {
		d.unreached = now
	}
	if now.Sub(d.unreached) >= endpointsBound {
		return &failure{message: fmt.Sprintf("Service %q has had no endpoints for %s although its pods are ready", d.rel.Name, endpointsBound)}
	}
	return nil
}

func (d *driver) smokeTest(ctx context.Context, test v1alpha1.SmokeTest, port int32) (analysis.SmokeResult, error) {
	result := analysis.SmokeResult{Name: test.Name, Total: int(max(test.Requests, 1))}
	want, timeout := int(test.ExpectStatus), defaultTimeout
	if want == 0 {
		want = defaultStatus
	}
	if test.Timeout != nil && test.Timeout.Duration > 0 {
		timeout = test.Timeout.Duration
	}
	for range result.Total {
		got, err := d.ports.Prober.Get(ctx, Probe{Namespace: d.rel.Namespace, Service: d.rel.Name, Port: port, Path: test.Path, Timeout: timeout})
		switch {
		case ctx.Err() != nil:
			return result, context.Cause(ctx)
		case errors.Is(err, ErrNoEndpoints):
			return result, err
		case err != nil:
			result.Failure = orElse(result.Failure, fmt.Sprintf("GET %s was not answered: %v", test.Path, err))
		case got != want:
			result.Failure = orElse(result.Failure, fmt.Sprintf("GET %s answered %d, want %d", test.Path, got, want))
		default:
			result.Passed++
		}
	}
	return result, nil
}
