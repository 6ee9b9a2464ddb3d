// Package webhook runs the admission webhook: it serves admission reviews over TLS, gives package
// admission the Environments, ImagePolicies, live objects, access reviews and seal key that it declares
// ports for, and looks after readiness, draining and metrics.
//
// It runs against an API server, in the cluster or outside of it, or from files alone. It decides
// nothing about a request (package admission does), verifies no image (the caller brings the
// admission.Images) and never drives a release.
package webhook
