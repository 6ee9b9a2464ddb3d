package admission

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// DefaultTimeout of one request: a second less than the API server waits for a webhook's answer, so
// that the cause of a delay is told instead of lost.
const DefaultTimeout = 9 * time.Second

// Config holds what a Judge needs.
type Config struct {
	Policies Policies
	Images   Images
	Objects  Objects
	Access   Access
	Keys     Keys
	Clock    clock.PassiveClock
	// Recorder of denials; nil records none.
	Recorder Recorder
	// Log receives one line per decision that was not trivial.
	Log logr.Logger
	// Timeout of one request; DefaultTimeout if zero. An earlier deadline of the context counts.
	Timeout time.Duration
}

// Judge answers admission reviews. It is safe for concurrent use.
type Judge struct {
	Config
	rulesets  *rulesets
	inspector *Inspector
}

// New returns a Judge, or an error if a port is missing.
func New(config Config) (*Judge, error) {
	if config.Policies == nil || config.Images == nil || config.Objects == nil ||
		config.Access == nil || config.Keys == nil || config.Clock == nil {
		return nil, errors.New("making the admission judge: every port and the clock must be set")
	}
	if config.Timeout <= 0 {
		config.Timeout = DefaultTimeout
	}
	compiler, err := policy.NewCompiler()
	if err != nil {
		return nil, fmt.Errorf("making the admission judge: %w", err)
	}
	inspector, err := NewInspector(config.Images, config.Clock)
	if err != nil {
		return nil, fmt.Errorf("making the admission judge: %w", err)
	}
	return &Judge{Config: config, rulesets: newRulesets(compiler), inspector: inspector}, nil
}

// Validate answers a validating review of an object in an environment's namespace. It never returns
// nil and has no side effects, so that dry runs need no special care.
func (j *Judge) Validate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return j.answer(ctx, "validate", environment, request, j.validate)
}

// Mutate answers a mutating review: digests for Pods, stamps for Releases and Approvals. Its patch
// only adds what is missing or replaces what a client must not say itself; applied twice it changes nothing.
func (j *Judge) Mutate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	response := j.answer(ctx, "mutate", environment, request, j.mutate)
	// Of two audit annotations of one name the API server keeps the first, and the verdict comes second.
	if response.Allowed && response.AuditAnnotations[AuditVerdict] != VerdictUndecided {
		response.AuditAnnotations = nil
	}
	return response
}

// ValidateNamespace answers a validating review of the update of a Namespace that an environment selects by its
// labels: nobody takes one out of the environment who may not change the Environment.
func (j *Judge) ValidateNamespace(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return j.answer(ctx, "namespace", environment, request, j.validateNamespace)
}

// ValidateConfiguration answers a validating review of an Environment or an ImagePolicy: what could not be
// judged by later is refused when it is written, with every problem in words.
func (j *Judge) ValidateConfiguration(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return j.answer(ctx, "configuration", "", request, j.validateConfiguration)
}
