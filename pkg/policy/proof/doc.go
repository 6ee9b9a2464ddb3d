// Package proof judges what was verified of an image by what an ImagePolicy asks. It is pure: it asks no registry,
// reads no key and no clock.
//
// A Compiler makes a Requirement of an ImagePolicy. An adapter collects Evidence for it: who signed a digest, and
// which statements about it are signed. Evidence is facts only, so it may be kept; Requirement.Judge turns it into an
// Outcome at each request, because ages, conditions and the end of a key's time depend on the request.
//
// What could not be told (a registry that fails) is no Evidence but an error of whoever collects it.
package proof
