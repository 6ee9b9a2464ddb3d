package policy

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// probesCheck requires probes of the ordinary containers of pods that run for ever.
func probesCheck() Check {
	return Check{
		ID:          RuleProbes,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Probes != nil },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.Probes.Enforcement },
		Doc:         probesDoc(),
		Compile: func(rules v1alpha1.Rules) (Judge, error) {
			required := slices.Sorted(slices.Values(rules.Probes.Require))
			return func(in Input) []Violation {
				if !runsForever(in.Subject) {
					return nil
				}
				var violations []Violation
				for i := range in.Subject.Spec.Containers {
					violations = append(violations, judgeProbes(in, required, i)...)
				}
				return violations
			}, nil
		},
	}
}

// runsForever tells whether a pod's containers are started again whenever they end. Jobs refuse such pods.
func runsForever(subject *Subject) bool {
	switch subject.Kind {
	case schema.GroupKind{Group: "batch", Kind: "Job"}, schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return false
	}
	return cmp.Or(subject.Spec.RestartPolicy, corev1.RestartPolicyAlways) == corev1.RestartPolicyAlways
}

func judgeProbes(in Input, required []v1alpha1.ProbeKind, index int) []Violation {
	container := &in.Subject.Spec.Containers[index]
	field := func(kind v1alpha1.ProbeKind) string {
		return in.Subject.Field(fmt.Sprintf("spec.containers[%d].%sProbe", index, kind))
	}
	var violations []Violation
	for _, kind := range required {
		if probes(containerProbe(container, kind)) {
			continue
		}
		violations = append(violations, Violation{Rule: RuleProbes, Field: field(kind),
			Message: fmt.Sprintf("container %q must set %sProbe", container.Name, kind)})
	}
	if probes(container.LivenessProbe) && probes(container.ReadinessProbe) && sameProbe(container.LivenessProbe, container.ReadinessProbe) {
		violations = append(violations, Violation{Rule: RuleProbes, Field: field(v1alpha1.ProbeLiveness),
			Enforcement: Weaker(v1alpha1.EnforcementWarn, in.Enforcement),
			Message: fmt.Sprintf("container %q has a livenessProbe that equals its readinessProbe, so that it is restarted when it should only get no traffic: ask another path, or set a higher failureThreshold",
				container.Name)})
	}
	return violations
}

func containerProbe(container *corev1.Container, kind v1alpha1.ProbeKind) *corev1.Probe {
	switch kind {
	case v1alpha1.ProbeReadiness:
		return container.ReadinessProbe
	case v1alpha1.ProbeLiveness:
		return container.LivenessProbe
	case v1alpha1.ProbeStartup:
		return container.StartupProbe
	}
	return nil
}

// probes tells whether a probe asks anything at all.
func probes(probe *corev1.Probe) bool {
	return probe != nil && (probe.HTTPGet != nil || probe.TCPSocket != nil || probe.Exec != nil || probe.GRPC != nil)
}

// sameProbe compares two probes as they take effect, so that a file and the object which the API server made
// of it give the same answer. The grace period counts for nothing: readiness has none.
func sameProbe(a, b *corev1.Probe) bool {
	return a.InitialDelaySeconds == b.InitialDelaySeconds &&
		cmp.Or(a.TimeoutSeconds, 1) == cmp.Or(b.TimeoutSeconds, 1) &&
		cmp.Or(a.PeriodSeconds, 10) == cmp.Or(b.PeriodSeconds, 10) &&
		cmp.Or(a.SuccessThreshold, 1) == cmp.Or(b.SuccessThreshold, 1) &&
		cmp.Or(a.FailureThreshold, 3) == cmp.Or(b.FailureThreshold, 3) &&
		equality.Semantic.DeepEqual(effectiveHandler(a.ProbeHandler), effectiveHandler(b.ProbeHandler))
}

// effectiveHandler fills in what the API server would.
func effectiveHandler(handler corev1.ProbeHandler) corev1.ProbeHandler {
	if handler.HTTPGet != nil {
		get := *handler.HTTPGet
		get.Path, get.Scheme = cmp.Or(get.Path, "/"), cmp.Or(get.Scheme, corev1.URISchemeHTTP)
		handler.HTTPGet = &get
	}
	if handler.GRPC != nil && handler.GRPC.Service == nil {
		handler.GRPC = &corev1.GRPCAction{Port: handler.GRPC.Port, Service: new(string)}
	}
	return handler
}

func probesDoc() Doc {
	return Doc{
		Setting: "probes",
		Summary: "Containers that run for ever have the probes that are listed.",
		Kinds:   "Pods with `restartPolicy: Always`, which is the default, and the workloads that make such pods: Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController and declared kinds. Jobs and CronJobs are not judged",
		Allows:  "Pods whose ordinary containers all have a probe of every listed kind (`readiness`, `liveness`, `startup`) that asks something: `httpGet`, `tcpSocket`, `grpc` or `exec`. Init containers, sidecars and ephemeral containers need none.",
		Denies: `Ordinary containers without a listed probe. A liveness probe that equals the readiness probe, with the API server's defaults filled in, is a violation too, of degree ` + "`Warn`" + ` at most:
it restarts a container that only needs a moment without traffic.`,
		Fix:   "Add the probe to the container. A readiness probe says that it can serve now; a liveness probe says that only a restart helps, so let it ask less and wait longer; a startup probe holds both back until the program is up.",
		Notes: "`probes.defaults` adds probes to containers that have none and declare the port which the default asks; where it does, nothing is violated.",
		Example: `probes:
  require: [readiness, liveness]
`,
	}
}
