// Package registration tells the API server what to ask the webhook: it keeps one entry per Environment
// in the MutatingWebhookConfiguration and in the ValidatingWebhookConfiguration "rune-webhook", and says
// in each Environment's status whether that is done.
//
// An entry selects namespaces by name and nothing else, so that failurePolicy Fail can stop nothing
// outside of them, and each namespace is in one entry. Its match conditions keep updates away that change
// nothing that is judged, so that scaling, pausing and finalizers work while the webhook is down. This
// package judges no request: that is the work of package admission.
package registration
