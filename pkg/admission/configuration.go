package admission

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// RuleConfiguration is the rule under which an Environment or an ImagePolicy is refused that nobody could judge by.
const RuleConfiguration policy.Rule = "configuration"

// validateConfiguration refuses an Environment or ImagePolicy that could not be judged by. What it does not see,
// because the webhook was down, is judged fail-closed when it is used. An object that was stored before and whose
// spec stays as it is is let through: its finalizers must not wait for its spec.
func (j *Judge) validateConfiguration(_ context.Context, _ string, request *admissionv1.AdmissionRequest) (decision, error) {
	kind := groupKind(request)
	if kind.Group != v1alpha1.GroupName || request.SubResource != "" ||
		(request.Operation != admissionv1.Create && request.Operation != admissionv1.Update) {
		return decision{}, nil
	}
	if request.Operation == admissionv1.Update {
		same, err := sameMember(request.Object.Raw, request.OldObject.Raw, "spec")
		if err != nil || same {
			return decision{}, err
		}
	}
	var problems []problem
	var err error
	switch kind.Kind {
	case v1alpha1.KindEnvironment:
		problems, err = j.environmentProblems(request.Object.Raw)
	case v1alpha1.KindImagePolicy:
		problems, err = imagePolicyProblems(request.Object.Raw)
	default:
		return decision{}, nil
	}
	d := decision{judged: true, what: fmt.Sprintf("%s %q", kind.Kind, request.Name)}
	violations := make([]policy.Violation, len(problems))
	for i, p := range problems {
		violations[i] = policy.Violation{Rule: RuleConfiguration, Field: p.field, Message: p.message, Enforcement: v1alpha1.EnforcementEnforce}
	}
	d.verdict = policy.NewVerdict(violations...)
	return d, err
}

// problem is one thing that is wrong with a configuration.
type problem struct{ field, message string }

type problems []problem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, problem{field, fmt.Sprintf(format, args...)})
}

// environmentProblems lists what the schema of an Environment cannot say.
func (j *Judge) environmentProblems(raw []byte) ([]problem, error) {
	environment := &v1alpha1.Environment{}
	if err := utiljson.Unmarshal(raw, environment); err != nil {
		return nil, fmt.Errorf("reading Environment: %w", err)
	}
	var found problems
	spec := environment.Spec
	if spec.NamespaceSelector != nil {
		if _, err := metav1.LabelSelectorAsSelector(spec.NamespaceSelector); err != nil {
			found.add("spec.namespaceSelector", "%s", err)
		}
	}
	if spec.PromotesFrom == environment.Name && spec.PromotesFrom != "" {
		found.add("spec.promotesFrom", "an environment cannot promote from itself")
	}
	for _, err := range causes(j.rulesets.check(environment)) {
		found.add("spec.rules", "%s", err)
	}
	if rules := spec.Rules.Approval; rules != nil {
		if rules.ValidFor != nil && rules.ValidFor.Duration <= 0 {
			found.add("spec.rules.approval.validFor", "must be longer than 0s, else no approval would ever count")
		}
		for i, account := range rules.ServiceAccounts {
			found.serviceAccount(fmt.Sprintf("spec.rules.approval.serviceAccounts[%d]", i), account)
		}
	}
	if rules := spec.Rules.Exemptions; rules != nil && rules.MaxValidity != nil && rules.MaxValidity.Duration <= 0 {
		found.add("spec.rules.exemptions.maxValidity", "must be longer than 0s, else no Exemption could be created")
	}
	found.workloadKinds(spec.WorkloadKinds)
	return found, nil
}

// workloadKinds must each be a kind of its own that others than Rune define.
func (p *problems) workloadKinds(kinds []v1alpha1.WorkloadKind) {
	seen := map[schema.GroupKind]bool{}
	for i, kind := range kinds {
		field := fmt.Sprintf("spec.workloadKinds[%d]", i)
		key := schema.GroupKind{Group: kind.Group, Kind: kind.Kind}
		switch {
		case kind.Group == v1alpha1.GroupName:
			p.add(field, "kinds of %s are no workloads", v1alpha1.GroupName)
		case policy.Covers(key):
			p.add(field, "%s is judged anyhow", key)
		case seen[key]:
			p.add(field, "%s is declared twice", key)
		}
		seen[key] = true
		for n, account := range kind.Controllers {
			p.serviceAccount(fmt.Sprintf("%s.controllers[%d]", field, n), account)
		}
	}
}

func (p *problems) serviceAccount(field, account string) {
	if namespace, name, found := strings.Cut(account, "/"); !found || namespace == "" || name == "" || strings.Contains(name, "/") {
		p.add(field, "%q is no service account: write it as NAMESPACE/NAME", account)
	}
}

// imagePolicyProblems lists what the schema of an ImagePolicy cannot say.
func imagePolicyProblems(raw []byte) ([]problem, error) {
	images := &v1alpha1.ImagePolicy{}
	if err := utiljson.Unmarshal(raw, images); err != nil {
		return nil, fmt.Errorf("reading ImagePolicy: %w", err)
	}
	var found problems
	for i, glob := range images.Spec.Images {
		if _, err := image.ParseGlob(glob); err != nil {
			found.add(fmt.Sprintf("spec.images[%d]", i), "%s", err)
		}
	}
	for i, authority := range images.Spec.Authorities {
		if err := readKey(authority.Key.Data); err != nil {
			found.add(fmt.Sprintf("spec.authorities[%d].key.data", i), "%s", err)
		}
	}
	return found, nil
}

// readKey tells whether a text is one public key in PEM form, which says nothing about whether it will do.
func readKey(text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("is no PEM block: paste the content of cosign.pub")
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return fmt.Errorf("is no public key: %w", err)
	}
	return nil
}

// causes splits an error that was joined of several.
func causes(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
