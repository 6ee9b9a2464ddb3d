// Package expression compiles and asks expressions in CEL, as a ValidatingAdmissionPolicy of Kubernetes 1.37 has them,
// within bounds of their cost. Custom rules and the conditions of ImagePolicies are such expressions.
//
// It is pure. It knows neither what is asked nor what follows from the answer.
package expression
