// Package admission decides about requests of the API server: it reads the review, gathers the facts
// through the ports that it declares, has package policy judge, and answers.
//
// It also stamps and seals Releases and Approvals with what the API server knows about the user, and
// replaces tags by digests in Pods. It serves no HTTP, reads no cluster and asks no registry itself:
// adapters implement the ports. A decision never reads an object's status, because whoever drives a
// release may write that, and never trusts an annotation or an owner reference: they only point to
// what is read live.
//
// An approved Release covers one step: the workload's update from spec.from to spec.to, its creation
// where the strategy is Create, and the creation of the canary Deployment while the workload stands at
// either end of the step. It covers images by digest only. The update from spec.to to spec.from is open too, as
// long as the release can be in flight: from the last approval that counts for its validity, the deadline (at
// most 24 hours) and an hour of grace; later, going back is a release of its own.
//
// Since no status is read, it is not known here whether a release has ended, and this much stays possible
// with an approved one: whoever may change the workload can bring spec.to again from exactly spec.from, make
// its canary Deployment again while the workload stands at spec.from or spec.to, or create again a workload
// with strategy Create that was deleted, all within validFor of the approvals; and can go from exactly
// spec.to to spec.from within the time above. All of it is what those people approved, or what ran when they
// did; and it ends at once where Approvals are deleted and too few are left. A tag in spec.from names on the
// way back what it names then: give the workload digests to close that.
//
// Being refused is a value. An error means that nothing could be decided; it becomes a denial in one
// place only, Judge.answer.
package admission
