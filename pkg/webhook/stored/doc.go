// Package stored reads Environments and ImagePolicies as the API server holds them, untyped and one by
// one: an object that this build cannot read, say one that was stored before its schema was tightened,
// is an error of that object alone. A typed list or watch would lose all objects of the kind over it.
//
// It decides nothing: what an unreadable object means is up to those who ask.
package stored
