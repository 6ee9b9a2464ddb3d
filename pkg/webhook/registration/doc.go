// Package registration tells the API server what to ask the webhook: it keeps one entry per Environment
// in the MutatingWebhookConfiguration and in the ValidatingWebhookConfiguration "rune-webhook", and says
// in each Environment's status whether that is done.
//
// An entry selects the Environment's namespaces by name and nothing else, so that failurePolicy Fail can
// stop nothing outside of them. It judges no request: that is the work of package admission.
package registration
