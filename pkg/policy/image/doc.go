// Package image reads image references and matches them against the globs of an ImagePolicy.
//
// There is one parser, so that the reference which a policy selects, the one that is verified and
// the one that is written into a Pod can never be three different things. Parsing is pure: nothing
// here asks a registry. The grammar is that of github.com/distribution/reference, with the names of
// Docker Hub spelled out and the registry's host in lower case.
package image
