package policy

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// securedContainer is one container of any list as the Pod Security Standards read it.
type securedContainer struct {
	list    string
	index   int
	context *corev1.SecurityContext
}

func (c securedContainer) want(g *growth, value any, path ...string) {
	at := []string{"spec", c.list, strconv.Itoa(c.index), "securityContext"}
	g.want(value, append(at, path...)...)
}

func securedContainers(spec *corev1.PodSpec) []securedContainer {
	containers := make([]securedContainer, 0, len(spec.Containers)+len(spec.InitContainers)+len(spec.EphemeralContainers))
	for i := range spec.Containers {
		containers = append(containers, securedContainer{"containers", i, spec.Containers[i].SecurityContext})
	}
	for i := range spec.InitContainers {
		containers = append(containers, securedContainer{"initContainers", i, spec.InitContainers[i].SecurityContext})
	}
	for i := range spec.EphemeralContainers {
		containers = append(containers, securedContainer{"ephemeralContainers", i, spec.EphemeralContainers[i].SecurityContext})
	}
	return containers
}

// missingSecurity asks for what the level restricted of the Pod Security Standards demands and a pod leaves unset.
// The API server refuses these fields in Windows pods.
func missingSecurity(spec *corev1.PodSpec, g *growth) {
	if spec.OS != nil && spec.OS.Name == corev1.Windows {
		return
	}
	containers := securedContainers(spec)
	missingNonRoot(spec.SecurityContext, containers, g)
	if missingSeccomp(spec.SecurityContext, containers) {
		g.want(string(corev1.SeccompProfileTypeRuntimeDefault), "spec", "securityContext", "seccompProfile", "type")
	}
	for _, c := range containers {
		if isPrivileged(c.context) {
			continue
		}
		if (c.context == nil || c.context.AllowPrivilegeEscalation == nil) && !addsSysAdmin(c.context) {
			c.want(g, false, "allowPrivilegeEscalation")
		}
		if c.context == nil || c.context.Capabilities == nil || c.context.Capabilities.Drop == nil {
			c.want(g, []any{"ALL"}, "capabilities", "drop")
		}
	}
}

// missingNonRoot asks for runAsNonRoot where neither the pod nor a container says anything. A container that asks for
// user 0 keeps it: the kubelet would not start it with both. The others then say so themselves.
func missingNonRoot(pod *corev1.PodSecurityContext, containers []securedContainer, g *growth) {
	if pod != nil && pod.RunAsNonRoot != nil {
		return
	}
	var silent []securedContainer
	for _, c := range containers {
		if c.context == nil || c.context.RunAsNonRoot == nil {
			silent = append(silent, c)
		}
	}
	rootless := slices.DeleteFunc(slices.Clone(silent), func(c securedContainer) bool { return asksRoot(pod, c.context) })
	switch {
	case len(silent) == 0:
	case len(rootless) == len(silent):
		g.want(true, "spec", "securityContext", "runAsNonRoot")
	default:
		for _, c := range rootless {
			c.want(g, true, "runAsNonRoot")
		}
	}
}

func asksRoot(pod *corev1.PodSecurityContext, container *corev1.SecurityContext) bool {
	if container != nil && container.RunAsUser != nil {
		return *container.RunAsUser == 0
	}
	return pod != nil && pod.RunAsUser != nil && *pod.RunAsUser == 0
}

// missingSeccomp tells whether some container has a profile neither of its own nor of the pod.
func missingSeccomp(pod *corev1.PodSecurityContext, containers []securedContainer) bool {
	if pod != nil && pod.SeccompProfile != nil {
		return false
	}
	return slices.ContainsFunc(containers, func(c securedContainer) bool { return c.context == nil || c.context.SeccompProfile == nil })
}

func isPrivileged(context *corev1.SecurityContext) bool {
	return context != nil && context.Privileged != nil && *context.Privileged
}

// addsSysAdmin tells whether a container asks for the capability that the API server refuses beside
// allowPrivilegeEscalation=false, as it refuses privileged. See ValidateSecurityContext of
// k8s.io/kubernetes/pkg/apis/core/validation; there it has its long name only.
func addsSysAdmin(context *corev1.SecurityContext) bool {
	return context != nil && context.Capabilities != nil &&
		slices.ContainsFunc(context.Capabilities.Add, func(capability corev1.Capability) bool {
			return capability == "CAP_SYS_ADMIN" || capability == "SYS_ADMIN"
		})
}
