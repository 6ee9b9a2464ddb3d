// Package verdict keeps what registries said of images: the evidence that was verified of a digest, what a tag named
// when it was last asked, and which keys and trust roots a policy was judged by.
//
// A Book holds facts in memory, bounded in number and size (the ones used least recently go first), and writes them
// behind to a Store, so that another process knows them: a replica that was just started, while a registry is down.
// Facts are never decisions: whoever reads one judges it again, by its age and by the policy of that moment.
//
// What it does not do: ask registries, decide how old a fact may be, or keep what was not verified. A Store is trusted
// to return only what a process like this one wrote; package webhook/verdictstore seals its records for that.
package verdict
