// Package admission decides about requests of the API server: it reads the review, gathers the facts
// through the ports that it declares, has package policy judge, and answers.
//
// It also stamps and seals Releases and Approvals with what the API server knows about the user, and
// replaces tags by digests in Pods. It serves no HTTP, reads no cluster and asks no registry itself:
// adapters implement the ports. A decision never reads an object's status, because whoever drives a
// release may write that, and never trusts an annotation or an owner reference: they only point to
// what is read live.
//
// Being refused is a value. An error means that nothing could be decided; it becomes a denial in one
// place only, Judge.answer.
package admission
