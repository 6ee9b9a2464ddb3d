// Package audit is `kubectl rune audit`: it judges what runs in a cluster by the rules of its Environments.
//
// It lists namespace by namespace and page by page, so that memory is bounded by a page and by what was
// found, and rolls the findings of pods up to the workload that they belong to. It changes nothing; with
// --report it writes one report object per namespace.
package audit
