package policy

import (
	"fmt"

	psapolicy "k8s.io/pod-security-admission/policy"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Judge returns the violations of one rule, in any order. A violation without an Enforcement gets that of the
// rule, else the environment's.
type Judge func(Input) []Violation

// Check is one rule of the catalogue.
type Check struct {
	ID Rule
	// Asked tells whether an environment has the rule.
	Asked func(v1alpha1.Rules) bool
	// Enforcement that the rule itself names; empty where the environment's counts. It is only called where
	// the rule is asked.
	Enforcement func(v1alpha1.Rules) v1alpha1.Enforcement
	// Doc is what docs/policy.md tells about the rule.
	Doc Doc
	// Compile prepares what can be prepared once per Environment: globs, patterns, expressions. It is only
	// called where the rule is asked. Its error says which part of the rules cannot be read.
	Compile func(v1alpha1.Rules) (Judge, error)
}

// Doc describes a rule to the people who set it and to those whom it stops.
type Doc struct {
	// Setting is where the rule is set, below spec.rules: "images.registries".
	Setting string
	// Summary is one sentence.
	Summary string
	// Kinds that are judged, in words; empty means all kinds with pods.
	Kinds string
	// Allows, Denies and Fix are paragraphs in Markdown.
	Allows, Denies, Fix string
	// Notes on what surprises, in Markdown; may be empty.
	Notes string
	// Example is the YAML of spec.rules with the rule in it.
	Example string
	// AdmissionOnly tells that the rule is about a request, or about what a file cannot tell: the other doors list it as deferred.
	AdmissionOnly bool
	// AsksRegistry tells that the rule is judged by what registries say: `kubectl rune check` asks none unless told to.
	AsksRegistry bool
}

// judged is a Compile that has nothing to prepare.
func judged(judge Judge) func(v1alpha1.Rules) (Judge, error) {
	return func(v1alpha1.Rules) (Judge, error) { return judge, nil }
}

// Checks returns the whole catalogue, sorted by id. The evaluator judges Pod Security Standards.
func Checks(podSecurity psapolicy.Evaluator) []Check {
	return []Check{
		accessCheck(),
		annotationsCheck(),
		approvalCheck(),
		customCheck(),
		imageVolumesCheck(),
		labelsCheck(),
		pinCheck(),
		podDisruptionBudgetCheck(),
		podSecurityCheck(podSecurity),
		probesCheck(),
		registriesCheck(),
		replicasCheck(),
		resourcesCheck(),
		serviceAccountTokenCheck(),
		signaturesCheck(),
		tagsCheck(),
	}
}

// Compiler makes Environments ready to judge by. It is safe for concurrent use.
type Compiler struct {
	checks []Check
}

// NewCompiler returns a Compiler; the tables of the Pod Security Standards are built here, once.
func NewCompiler() (*Compiler, error) {
	podSecurity, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("preparing the Pod Security Standards: %w", err)
	}
	return &Compiler{checks: Checks(podSecurity)}, nil
}
