// Package signature answers what admission asks about images: which digest a tag names now, and whether a digest
// satisfies an ImagePolicy. Packages below it ask registries (registry), verify what they say (verification) and keep
// it (verdict); only they import cosign, sigstore-go and go-containerregistry.
//
// There are three kinds of answers, which are never taken for each other. Evidence is what was verified of a digest; it
// is kept for as long as the policy says, by the digest and the policy with its keys and trust roots, never by a tag,
// and judged anew for each question: ages, conditions and the end of a key's time depend on the moment. That something
// is definitely lacking is kept for seconds, for the repository and the credentials that were asked. That nobody could
// tell is an error, which names the registry and the cause, and is kept for seconds too.
//
// While a registry fails, evidence counts for a further time that the policy bounds, and what a tag named last for a
// day; both say so. Whoever has such an answer does not wait for a registry that has just failed. An answer of the
// registry, a negative one too, always takes precedence. What was verified is written behind to a store, so that a
// process that starts while a registry is down still knows it.
//
// Equal questions share one answer, which goes on being found when the first who asked has left. Evidence that is asked
// for near the end of its time is collected anew while it still counts.
//
// cosign's library reads variables that begin with COSIGN_, SIGSTORE_ and TUF_; a program that judges
// by this package calls ClearEnvironment first, so that its surroundings cannot weaken it.
package signature
