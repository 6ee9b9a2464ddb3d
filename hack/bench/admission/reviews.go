package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// namespace and environment of the rules in the folder rules.
const (
	namespace   = "shop"
	environment = "bench"
)

// mark stands in a body wherever something is to be unique; a number of as many digits takes its place.
const mark = "00000000"

// review is the body of a review, cut where unique numbers go.
type review struct {
	parts [][]byte
	size  int
}

// newReview encodes an admission review of a Pod's creation as an API server does.
func newReview(pod *corev1.Pod) (*review, error) {
	object, err := json.Marshal(pod)
	if err != nil {
		return nil, fmt.Errorf("encoding the Pod: %w", err)
	}
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	resource := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:  "0b0c5b9e-1d2f-4c57-9a41-4f7a" + mark,
			Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Name: pod.Name, Namespace: pod.Namespace, Operation: admissionv1.Create,
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:kube-system:replicaset-controller", UID: "5f3c7a52-5b80-4b0a-8d6f-0a1c54a63d9e",
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
				Extra:  map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=7f6f7fd6-5b6d-4d1f-9f4a-3d06f50e4f57"}},
			},
			Object:  runtime.RawExtension{Raw: object},
			DryRun:  ptr.To(false),
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}`)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the review: %w", err)
	}
	return &review{parts: bytes.Split(body, []byte(mark)), size: len(body)}, nil
}

// body returns a copy with a number in the place of every mark: another UID and another name.
func (r *review) body(number int) []byte {
	return bytes.Join(r.parts, fmt.Appendf(nil, "%0*d", len(mark), number))
}

// newPod makes a Pod that keeps all rules, as a ReplicaSet's controller sends it, with the
// managedFields that the API server has added.
func newPod(containers int) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "checkout-6c9f8d5b7c-" + mark, GenerateName: "checkout-6c9f8d5b7c-", Namespace: namespace,
			UID:               "9c1d6a3e-77f2-4c2b-b1a5-6e1f" + mark,
			CreationTimestamp: metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
			Labels: map[string]string{
				"app.kubernetes.io/name": "checkout", "app.kubernetes.io/version": "v2.14.3",
				"app.kubernetes.io/part-of": "shop", "team": "payments", "pod-template-hash": "6c9f8d5b7c",
			},
			Annotations: map[string]string{
				"runeframeos.com/contact": "payments@runeframeos.com",
				"prometheus.io/scrape":    "true", "prometheus.io/port": "8080",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "checkout-6c9f8d5b7c", UID: "3f0f6c43-35e4-4a7e-8f0e-98aa0f3e51c1",
				Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
			}},
		},
		Spec: podSpec(containers),
	}
	fields, err := managedFields(pod)
	if err != nil {
		return nil, err
	}
	now := pod.CreationTimestamp
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1",
		Time: &now, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(fields)),
	}}
	return pod, nil
}

func podSpec(containers int) corev1.PodSpec {
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst, SchedulerName: "default-scheduler",
		ServiceAccountName: "checkout", DeprecatedServiceAccount: "checkout", AutomountServiceAccountToken: ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To[int64](30), EnableServiceLinks: ptr.To(true),
		PreemptionPolicy: ptr.To(corev1.PreemptLowerPriority), Priority: ptr.To[int32](0),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), FSGroup: ptr.To[int64](10001),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
		Tolerations: []corev1.Toleration{
			toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable"),
		},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: "topology.kubernetes.io/zone", WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "checkout"}},
		}},
	}
	for i, name := range []string{"app", "cache", "metrics"}[:containers] {
		spec.Containers = append(spec.Containers, container(i, name))
	}
	return spec
}

func toleration(key string) corev1.Toleration {
	return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](300)}
}

// container is a small one; the first has what applications have besides.
func container(index int, name string) corev1.Container {
	port := int32(8080 + index)
	c := corev1.Container{
		Name:            name,
		Image:           "registry.runeframeos.com/checkout-" + name + "@sha256:" + strings.Repeat(fmt.Sprintf("%x3c9", 10+index), 16),
		ImagePullPolicy: corev1.PullIfNotPresent,
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		ReadinessProbe: probe("/ready", port, 5), LivenessProbe: probe("/health", port, 10),
		TerminationMessagePath: corev1.TerminationMessagePathDefault, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
	if index > 0 {
		return c
	}
	c.Args = []string{"--listen=:" + fmt.Sprint(port), "--log-format=json"}
	c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: port, Protocol: corev1.ProtocolTCP}}
	c.Env = []corev1.EnvVar{
		{Name: "LOG_LEVEL", Value: "info"},
		{Name: "DB_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "checkout-db"}, Key: "password",
		}}},
	}
	c.VolumeMounts = []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}}
	return c
}

func probe(path string, port, period int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromInt32(port), Scheme: corev1.URISchemeHTTP,
		}},
		TimeoutSeconds: 1, PeriodSeconds: period, SuccessThreshold: 1, FailureThreshold: 3,
	}
}

// managedFields lists what an object sets, in the way of the API server's field sets.
func managedFields(pod *corev1.Pod) ([]byte, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pod)
	if err != nil {
		return nil, fmt.Errorf("reading the Pod's fields: %w", err)
	}
	set := map[string]any{
		"f:metadata": fieldSet(map[string]any{"annotations": pod.Annotations, "labels": pod.Labels, "generateName": "", "ownerReferences": ""}),
		"f:spec":     fieldSet(object["spec"]),
	}
	return json.Marshal(set)
}

// fieldSet goes into maps by key, and into lists of maps by the name or key of each.
func fieldSet(value any) map[string]any {
	set := map[string]any{}
	switch value := value.(type) {
	case map[string]string:
		set["."] = map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			set["f:"+key] = map[string]any{}
		}
	case map[string]any:
		for key, member := range value {
			set["f:"+key] = fieldSet(member)
		}
	case []any:
		for _, item := range value {
			member, ok := item.(map[string]any)
			if !ok {
				continue
			}
			for _, key := range []string{"name", "mountPath", "containerPort", "key"} {
				if identity, found := member[key]; found {
					set[fmt.Sprintf(`k:{%q:%q}`, key, fmt.Sprint(identity))] = fieldSet(member)
					break
				}
			}
		}
	}
	return set
}
