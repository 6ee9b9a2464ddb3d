package configuration

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Problem is one thing that is wrong.
type Problem struct {
	// Field is its path from the object's root: "spec.rules.resources.max[cpu]".
	Field string
	// Message says what is wrong with the field, without naming it.
	Message string
}

type problems []Problem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// Environment returns what the schema of an Environment cannot say, in the order of its fields.
func Environment(environment *v1alpha1.Environment) []Problem {
	var found problems
	spec := &environment.Spec
	if spec.NamespaceSelector != nil {
		if _, err := metav1.LabelSelectorAsSelector(spec.NamespaceSelector); err != nil {
			found.add("spec.namespaceSelector", "%s", err)
		}
	}
	if spec.PromotesFrom == environment.Name && spec.PromotesFrom != "" {
		found.add("spec.promotesFrom", "an environment cannot promote from itself")
	}
	found.rules(&spec.Rules)
	found.workloadKinds(spec.WorkloadKinds)
	if settings := spec.NamespaceSettings; settings != nil {
		found.quota(settings.ResourceQuota)
		found.limitRange(settings.LimitRange)
	}
	return found
}

func (p *problems) rules(rules *v1alpha1.Rules) {
	if approval := rules.Approval; approval != nil {
		if approval.ValidFor != nil && approval.ValidFor.Duration <= 0 {
			p.add("spec.rules.approval.validFor", "must be longer than 0s, else no approval would ever count")
		}
		for i, account := range approval.ServiceAccounts {
			p.serviceAccount(fmt.Sprintf("spec.rules.approval.serviceAccounts[%d]", i), account)
		}
	}
	if exemptions := rules.Exemptions; exemptions != nil && exemptions.MaxValidity != nil && exemptions.MaxValidity.Duration <= 0 {
		p.add("spec.rules.exemptions.maxValidity", "must be longer than 0s, else no Exemption could be created")
	}
	if metadata := rules.Metadata; metadata != nil {
		p.keys("spec.rules.metadata.labels", metadata.Labels)
		p.keys("spec.rules.metadata.annotations", metadata.Annotations)
	}
	p.resources(rules.Resources)
}

// keys must be such as an object can have.
func (p *problems) keys(field string, required []v1alpha1.RequiredMetadata) {
	for i, entry := range required {
		if wrong := validation.IsQualifiedName(entry.Key); len(wrong) > 0 {
			p.add(fmt.Sprintf("%s[%d].key", field, i), "%q is no key that an object could have: %s", entry.Key, strings.Join(wrong, "; "))
		}
	}
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
	parts := strings.Split(account, "/")
	if len(parts) != 2 || slices.Contains(parts, "") {
		p.add(field, "%q is no service account: write it as NAMESPACE/NAME", account)
	}
}
