package registration

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// labels of both configurations.
func labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "rune-webhook",
		"app.kubernetes.io/part-of":    "rune",
		"app.kubernetes.io/managed-by": "rune-webhook",
	}
}

// annotations of both configurations. The one that is there asks AKS not to rewrite namespace selectors
// (https://learn.microsoft.com/azure/aks/faq), which would be an endless quarrel with this reconciler.
func annotations() map[string]string {
	return map[string]string{"admissions.enforcer/disabled": "true"}
}

// writeConfigurations brings both configurations in line and returns the names of the entries that it
// changed in either. What else somebody wrote there is gone afterwards.
func (r *Reconciler) writeConfigurations(ctx context.Context, covered []coverage, bundle []byte) (map[string]bool, error) {
	var mutatingEntries []admissionregistrationv1.MutatingWebhook
	var validatingEntries []admissionregistrationv1.ValidatingWebhook
	for _, c := range covered {
		for _, s := range c.scopes() {
			mutatingEntries = append(mutatingEntries, mutating(c, s, r.options.Endpoint, bundle))
			validatingEntries = append(validatingEntries, validating(c, s, r.options.Endpoint, bundle))
		}
		if c.selector != nil {
			validatingEntries = append(validatingEntries, namespaces(c, r.options.Endpoint, bundle))
		}
	}
	validatingEntries = append(validatingEntries, configuration(r.options.Endpoint, bundle))
	written := map[string]bool{}
	// Objects are completed before they are judged, in the order of these two as well: an Environment
	// whose validating entry came first would for a moment refuse pods that nobody has pinned.
	mutatingConfiguration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	err := r.write(ctx, mutatingConfiguration, func() bool {
		changed := differing(mutatingConfiguration.Webhooks, mutatingEntries, func(w admissionregistrationv1.MutatingWebhook) string { return w.Name }, written)
		mutatingConfiguration.Webhooks = mutatingEntries
		return changed
	})
	if err != nil {
		return written, err
	}
	validatingConfiguration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	err = r.write(ctx, validatingConfiguration, func() bool {
		changed := differing(validatingConfiguration.Webhooks, validatingEntries, func(w admissionregistrationv1.ValidatingWebhook) string { return w.Name }, written)
		validatingConfiguration.Webhooks = validatingEntries
		return changed
	})
	return written, err
}

// write reads one configuration, lets set put the entries in, and writes it where something changed.
func (r *Reconciler) write(ctx context.Context, configuration client.Object, set func() bool) error {
	kind := fmt.Sprintf("%T", configuration)[len("*v1."):]
	err := r.options.Reader.Get(ctx, client.ObjectKey{Name: Name}, configuration)
	if apierrors.IsNotFound(err) {
		configuration.SetName(Name)
		dress(configuration)
		set()
		if err := r.options.Writer.Create(ctx, configuration); err != nil {
			return fmt.Errorf("creating %s %q: %w", kind, Name, err)
		}
		logr.FromContextOrDiscard(ctx).Info("configuration created", "kind", kind)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s %q: %w", kind, Name, err)
	}
	entriesChanged := set()
	if dressed := dress(configuration); !dressed && !entriesChanged {
		return nil
	}
	if err := r.options.Writer.Update(ctx, configuration); err != nil {
		return fmt.Errorf("updating %s %q: %w", kind, Name, err)
	}
	logr.FromContextOrDiscard(ctx).Info("configuration updated", "kind", kind)
	return nil
}

// dress puts on missing labels and annotations and tells whether any was missing.
func dress(configuration metav1.Object) bool {
	changed := false
	put := func(have map[string]string, want map[string]string) map[string]string {
		if have == nil {
			have = map[string]string{}
		}
		for key, value := range want {
			if have[key] != value {
				have[key] = value
				changed = true
			}
		}
		return have
	}
	configuration.SetLabels(put(configuration.GetLabels(), labels()))
	configuration.SetAnnotations(put(configuration.GetAnnotations(), annotations()))
	return changed
}

// differing adds to names the entries of want that have no equal in have, and tells whether the two lists
// differ at all.
func differing[E any](have, want []E, name func(E) string, names map[string]bool) bool {
	existing := map[string]E{}
	for _, entry := range have {
		existing[name(entry)] = entry
	}
	for _, entry := range want {
		old, ok := existing[name(entry)]
		if !ok || !apiequality.Semantic.DeepEqual(old, entry) {
			names[name(entry)] = true
		}
	}
	return !apiequality.Semantic.DeepEqual(have, want)
}
