// Package signature asks registries: which digest a tag names now, and whether a trusted key signed a
// digest. It is the only importer of cosign.
//
// A definite outcome (verified, definitely not) is an image.Proof; that nobody could tell is an error,
// which names the registry and the cause. Verdicts are cached by digest and key, never by tag: a
// verified one outlives an outage of the registry for a bounded time, all others are kept for seconds,
// just long enough that a storm of Pods does not become a storm of requests.
//
// What it does not do in this version: signatures by certificate (keyless), bundles and attestations,
// a transparency log for keys (a key's signature made offline has no entry), and the pull secrets of
// Pods: credentials come from the process' own Docker configuration, else access is anonymous.
//
// cosign's library reads variables that begin with COSIGN_, SIGSTORE_ and TUF_; a program that judges
// by this package calls ClearEnvironment first, so that its surroundings cannot weaken it.
package signature
