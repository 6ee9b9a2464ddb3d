// Package namespace says what the namespaces of an Environment must hold beside workloads, and judges what
// they do hold: ResourceQuotas, LimitRanges, NetworkPolicies and the labels of Pod Security admission.
//
// It judges by effect and not by name: a quota of anybody that is at least as strict counts. It is pure: it
// reads no cluster and writes none; `kubectl rune audit` and `kubectl rune env apply` do.
package namespace
