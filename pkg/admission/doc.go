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
// A request is judged by what it changes. A creation and a new pod template are judged by all rules. The update of
// a Pod that brings other images or ephemeral containers is judged by the rules about images, for what is new
// only, and by the Pod Security Standards over the whole Pod, as the API server's own Pod Security admission
// does; a resize by the rules about resources, over the whole Pod. Labels, annotations, probes and tokens are
// judged when a Pod is created. An update of the spec outside of the pod template, but for the number of pods and
// pausing, is judged by custom rules only. Everything else is admitted without a question to any port; only
// objects of kinds that an Environment declares need the Environment to be known. Deletion timestamps change nothing.
//
// An Exemption is read only after something was violated. It stands for the workload that it names, for the
// objects that are proven to be made of that one (a controller's identity, a live owner, a matching template, up to
// the top), and for its canary Deployment. So it does not reach the Pods of a former revision, nor a person's
// update of a running Pod. One that cannot be read lifts nothing, and the message says so.
//
// New Pods get the environment's defaults and digests. The pod templates of workloads get digests alone, where
// rules.images.pin is Workloads, and not where the template must stay: what a controller made, a revision of the
// workload, and both ends of its sealed Release.
//
// Being refused is a value. An error means that nothing could be decided; it becomes a denial in one
// place only, Judge.answer, in the strictest degree that the environment or any of its rules names.
package admission
