// Package delivery decides by which plan a release goes: a file, flags, the environment's own, or the
// standards' default, in this order.
//
// It only puts a v1alpha1.Delivery together; package release turns it into steps.
package delivery
