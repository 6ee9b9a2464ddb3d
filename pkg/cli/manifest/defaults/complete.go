package defaults

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Complete returns an object in JSON with the namespace that it will be created in (empty for none) and the defaults of
// its kind. Its error means that the text is no JSON object.
func Complete(kind schema.GroupKind, namespace string, text []byte) ([]byte, error) {
	var root object
	if err := utiljson.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("completing %s: %w", kind.Kind, err)
	}
	if namespace != "" {
		empty(made(root, "metadata"), "namespace", namespace)
	}
	spec := child(root, "spec")
	if policy.Covers(kind) {
		withoutNulls(root, "")
	}
	switch kind {
	case schema.GroupKind{Kind: "Pod"}:
		pod(spec)
	case schema.GroupKind{Kind: "ReplicationController"}:
		replicationController(root, spec)
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		deployment(spec)
	case schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}:
		unset(spec, "replicas", int64(1))
		template(spec)
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		statefulSet(spec)
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		daemonSet(spec)
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		job(root, spec)
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		cronJob(spec)
	}
	completed, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("completing %s: %w", kind.Kind, err)
	}
	return completed, nil
}

// template completes the pod template of a workload's spec. Of a spec that is absent or no object there is nothing to
// complete.
func template(spec object) {
	t := child(spec, "template")
	if t == nil {
		return
	}
	made(t, "metadata")
	podSpec(child(t, "spec"))
}

func replicationController(root, spec object) {
	unset(spec, "replicas", int64(1))
	template(spec)
	labels := child(child(child(spec, "template"), "metadata"), "labels")
	if labels == nil {
		return
	}
	if len(child(spec, "selector")) == 0 {
		spec["selector"] = maps.Clone(labels)
	}
	labelled(root, labels)
}

// labelled gives an object the labels of its template where it has none.
func labelled(root, labels object) {
	if metadata := made(root, "metadata"); metadata != nil && labels != nil && len(child(metadata, "labels")) == 0 {
		metadata["labels"] = maps.Clone(labels)
	}
}

func deployment(spec object) {
	unset(spec, "replicas", int64(1))
	unset(spec, "revisionHistoryLimit", int64(10))
	unset(spec, "progressDeadlineSeconds", int64(600))
	strategy := made(spec, "strategy")
	empty(strategy, "type", "RollingUpdate")
	if strategy["type"] == "RollingUpdate" {
		rolling := made(strategy, "rollingUpdate")
		unset(rolling, "maxUnavailable", "25%")
		unset(rolling, "maxSurge", "25%")
	}
	template(spec)
}

func daemonSet(spec object) {
	unset(spec, "revisionHistoryLimit", int64(10))
	strategy := made(spec, "updateStrategy")
	empty(strategy, "type", "RollingUpdate")
	if strategy["type"] == "RollingUpdate" {
		rolling := made(strategy, "rollingUpdate")
		unset(rolling, "maxUnavailable", int64(1))
		unset(rolling, "maxSurge", int64(0))
	}
	template(spec)
}

func statefulSet(spec object) {
	unset(spec, "replicas", int64(1))
	unset(spec, "revisionHistoryLimit", int64(10))
	empty(spec, "podManagementPolicy", "OrderedReady")
	strategy := made(spec, "updateStrategy")
	if strategy["type"] == nil || strategy["type"] == "" {
		empty(strategy, "type", "RollingUpdate")
		made(strategy, "rollingUpdate")
	}
	if strategy["type"] == "RollingUpdate" {
		rolling := child(strategy, "rollingUpdate")
		unset(rolling, "partition", int64(0))
		unset(rolling, "maxUnavailable", int64(1))
	}
	retention := made(spec, "persistentVolumeClaimRetentionPolicy")
	empty(retention, "whenDeleted", "Retain")
	empty(retention, "whenScaled", "Retain")
	for _, claim := range items(spec, "volumeClaimTemplates") {
		empty(claim, "apiVersion", "v1")
		empty(claim, "kind", "PersistentVolumeClaim")
		claimSpec(child(claim, "spec"))
		empty(made(claim, "status"), "phase", "Pending")
	}
	template(spec)
}

func job(root, spec object) {
	if spec == nil {
		return
	}
	if spec["completions"] == nil && spec["parallelism"] == nil {
		spec["completions"] = int64(1)
	}
	unset(spec, "parallelism", int64(1))
	backoff := int64(6)
	if spec["backoffLimitPerIndex"] != nil {
		backoff = math.MaxInt32
	}
	unset(spec, "backoffLimit", backoff)
	unset(spec, "completionMode", "NonIndexed")
	unset(spec, "suspend", false)
	unset(spec, "manualSelector", false)
	replacement := "TerminatingOrFailed"
	if spec["podFailurePolicy"] != nil {
		replacement = "Failed"
	}
	unset(spec, "podReplacementPolicy", replacement)
	failurePolicy(spec)
	template(spec)
	labelled(root, child(child(child(spec, "template"), "metadata"), "labels"))
}

func failurePolicy(spec object) {
	for _, rule := range items(child(spec, "podFailurePolicy"), "rules") {
		for _, pattern := range items(rule, "onPodConditions") {
			empty(pattern, "status", "True")
		}
	}
}

func cronJob(spec object) {
	empty(spec, "concurrencyPolicy", "Allow")
	unset(spec, "suspend", false)
	unset(spec, "successfulJobsHistoryLimit", int64(3))
	unset(spec, "failedJobsHistoryLimit", int64(1))
	jobs := child(spec, "jobTemplate")
	if jobs == nil {
		return
	}
	made(jobs, "metadata")
	// What a Job gets beside its template, it gets when it is made.
	failurePolicy(child(jobs, "spec"))
	template(child(jobs, "spec"))
}
