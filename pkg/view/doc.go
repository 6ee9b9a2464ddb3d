// Package view turns the objects of a release into what people and scripts read: lines, trees,
// tables and one JSON document.
//
// It is pure: it reads no clock, asks no cluster and writes nowhere. It judges nothing either; verdicts
// come from the objects.
package view
