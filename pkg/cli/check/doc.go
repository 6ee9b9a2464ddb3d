// Package check is `kubectl rune check`: the judgement of admission over manifests, before anything is sent to a
// cluster. With --config it needs no cluster and no network.
//
// It tells what the files alone can tell. Approvals and access are about a request and are named as deferred, and so are
// signatures unless --verify-images asks the registries; Exemptions are not known either, so what one would lift is reported. What of a workload
// lies beside it (PodDisruptionBudgets, HorizontalPodAutoscalers) is looked for among the manifests only.
package check
