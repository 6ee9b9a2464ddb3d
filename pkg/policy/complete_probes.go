package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// probeDefault is a probe for containers that have none of its kind.
type probeDefault struct {
	kind v1alpha1.ProbeKind
	port intstr.IntOrString
	// value is the probe in JSON's terms.
	value any
}

func newProbeDefaults(rules v1alpha1.ProbeDefaults) ([]probeDefault, error) {
	var defaults []probeDefault
	var errs []error
	for _, entry := range []struct {
		kind  v1alpha1.ProbeKind
		probe *corev1.Probe
	}{
		{v1alpha1.ProbeLiveness, rules.Liveness},
		{v1alpha1.ProbeReadiness, rules.Readiness},
		{v1alpha1.ProbeStartup, rules.Startup},
	} {
		if entry.probe == nil {
			continue
		}
		port, err := validateProbe(entry.kind, entry.probe)
		if err != nil {
			errs = append(errs, fmt.Errorf("rules.probes.defaults.%s: %w", entry.kind, err))
			continue
		}
		value, err := generic(entry.probe)
		if err != nil {
			errs = append(errs, fmt.Errorf("rules.probes.defaults.%s: %w", entry.kind, err))
			continue
		}
		defaults = append(defaults, probeDefault{kind: entry.kind, port: port, value: value})
	}
	return defaults, errors.Join(errs...)
}

// generic returns a value as package json decodes it.
func generic(typed any) (any, error) {
	text, err := json.Marshal(typed)
	if err != nil {
		return nil, err
	}
	var value any
	err = utiljson.Unmarshal(text, &value)
	return value, err
}

// validateProbe refuses what the API server would refuse in a Pod, and returns the port that the probe asks.
// See ValidateProbe of k8s.io/kubernetes/pkg/apis/core/validation.
func validateProbe(kind v1alpha1.ProbeKind, probe *corev1.Probe) (intstr.IntOrString, error) {
	var errs []error
	for name, number := range map[string]int32{
		"initialDelaySeconds": probe.InitialDelaySeconds,
		"timeoutSeconds":      probe.TimeoutSeconds,
		"periodSeconds":       probe.PeriodSeconds,
		"successThreshold":    probe.SuccessThreshold,
		"failureThreshold":    probe.FailureThreshold,
	} {
		if number < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", name))
		}
	}
	if kind != v1alpha1.ProbeReadiness && probe.SuccessThreshold > 1 {
		errs = append(errs, errors.New("successThreshold must be 1"))
	}
	if grace := probe.TerminationGracePeriodSeconds; grace != nil {
		if kind == v1alpha1.ProbeReadiness {
			errs = append(errs, errors.New("terminationGracePeriodSeconds must not be set for a readiness probe"))
		} else if *grace <= 0 {
			errs = append(errs, errors.New("terminationGracePeriodSeconds must be greater than 0"))
		}
	}
	port, err := probePort(probe)
	errs = append(errs, err)
	slices.SortFunc(errs, compareErrors)
	return port, errors.Join(errs...)
}

func compareErrors(a, b error) int {
	if a == nil || b == nil {
		return 0
	}
	switch x, y := a.Error(), b.Error(); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// probePort returns the port that a probe asks. A command asks none, so nothing would tell which containers have it.
func probePort(probe *corev1.Probe) (intstr.IntOrString, error) {
	var ports []intstr.IntOrString
	var errs []error
	if probe.HTTPGet != nil {
		ports = append(ports, probe.HTTPGet.Port)
		if scheme := probe.HTTPGet.Scheme; scheme != "" && scheme != corev1.URISchemeHTTP && scheme != corev1.URISchemeHTTPS {
			errs = append(errs, fmt.Errorf("httpGet.scheme %q must be HTTP or HTTPS", scheme))
		}
		for _, header := range probe.HTTPGet.HTTPHeaders {
			for _, problem := range validation.IsHTTPHeaderName(header.Name) {
				errs = append(errs, fmt.Errorf("httpGet.httpHeaders %q: %s", header.Name, problem))
			}
		}
	}
	if probe.TCPSocket != nil {
		ports = append(ports, probe.TCPSocket.Port)
	}
	if probe.GRPC != nil {
		ports = append(ports, intstr.FromInt32(probe.GRPC.Port))
	}
	if len(ports) != 1 || probe.Exec != nil {
		errs = append(errs, errors.New("exactly one of httpGet, tcpSocket and grpc must be set: "+
			"a default probe is added to containers that declare the port it asks"))
		return intstr.IntOrString{}, errors.Join(errs...)
	}
	port := ports[0]
	problems := validation.IsValidPortNum(port.IntValue())
	if port.Type == intstr.String {
		problems = validation.IsValidPortName(port.StrVal)
	}
	for _, problem := range problems {
		errs = append(errs, fmt.Errorf("port %q %s", port.String(), problem))
	}
	return port, errors.Join(errs...)
}

// missingProbes asks for the probes that ordinary containers of a pod that runs for ever lack.
func missingProbes(defaults []probeDefault, spec *corev1.PodSpec, g *growth) {
	if spec.RestartPolicy != "" && spec.RestartPolicy != corev1.RestartPolicyAlways {
		return
	}
	for i := range spec.Containers {
		container := &spec.Containers[i]
		for _, probe := range defaults {
			if !hasProbe(container, probe.kind) && declaresPort(container, probe.port) {
				g.want(probe.value, "spec", "containers", strconv.Itoa(i), string(probe.kind)+"Probe")
			}
		}
	}
}

func hasProbe(container *corev1.Container, kind v1alpha1.ProbeKind) bool {
	switch kind {
	case v1alpha1.ProbeLiveness:
		return container.LivenessProbe != nil
	case v1alpha1.ProbeStartup:
		return container.StartupProbe != nil
	default:
		return container.ReadinessProbe != nil
	}
}

// declaresPort tells whether a container lists a TCP port by this number or name. All probes that ask a port do so over TCP.
func declaresPort(container *corev1.Container, port intstr.IntOrString) bool {
	return slices.ContainsFunc(container.Ports, func(declared corev1.ContainerPort) bool {
		if declared.Protocol != "" && declared.Protocol != corev1.ProtocolTCP {
			return false
		}
		if port.Type == intstr.String {
			return declared.Name == port.StrVal
		}
		return declared.ContainerPort == port.IntVal
	})
}
