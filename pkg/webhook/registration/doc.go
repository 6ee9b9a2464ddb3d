// Package registration tells the API server what to ask the webhook: it keeps the entries of each
// Environment in the MutatingWebhookConfiguration and in the ValidatingWebhookConfiguration "rune-webhook", and
// says in each Environment's status whether that is done.
//
// One entry selects the namespaces that an Environment lists by name, and another those that its selector
// matches and nobody lists, so that failurePolicy Fail can stop nothing outside of them. A third meets Namespaces
// that leave the selector by their labels. Match conditions keep updates away that change nothing that is judged,
// so that scaling, pausing and finalizers work while the webhook is down. What one Environment asks for in vain, a
// selector that is none or rules that do not compile, is said in its status and touches no entry of another one.
//
// This package judges no request: that is the work of package admission.
package registration
