package webhook

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/webhook/registration"
)

// namespacePattern is that of the endpoint for Namespaces, for http.ServeMux.
const namespacePattern = registration.NamespacePath + "{" + environmentKey + "}"

// clusterJudge answers what only an API server asks; *admission.Judge is one.
type clusterJudge interface {
	ValidateNamespace(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse
	ValidateConfiguration(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse
}

// clusterDoors are the endpoints for Namespaces, and for Environments and ImagePolicies. A webhook that serves
// from files has none of them: it reads its configuration itself and knows no labels of namespaces.
func clusterDoors(judge clusterJudge) []door {
	return []door{
		{pattern: namespacePattern, phase: "namespace", judge: judge.ValidateNamespace},
		{
			pattern: registration.ConfigurationPath,
			phase:   "configuration",
			judge: func(ctx context.Context, _ string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
				return judge.ValidateConfiguration(ctx, request)
			},
		},
	}
}
