// Package registry asks registries for what verifying an image needs: which digest a tag names now,
// manifests, small blobs, and what refers to a digest.
//
// A Client may be asked about hostile images on broken registries by many at once, so everything is
// bounded: the size and the time of each answer, the number of referrers and of their pages, the
// requests that are in flight to one registry, and how often a registry that fails is asked again. It
// keeps connections and tokens, and never sends a registry's credentials to another host, nor speaks
// plain HTTP to a host that is neither this machine nor listed in the configuration.
//
// That a registry answered “there is no such thing” is image.ErrNotExist; every other error means
// that nobody could tell, and is an *Error whose words a person can act on. The two are never taken
// for each other: a mirror that lacks something is no proof that the registry does.
//
// What it does not do: push, list tags, fetch from the foreign URLs of a descriptor, read what
// manifests mean, or remember answers. It does not use the requests of go-containerregistry's package
// remote, which read whole answers without a bound of ours and retry a failing registry for seconds;
// authentication is that library's.
package registry
