// Package configuration says what is wrong with an Environment or an ImagePolicy beyond what the schema of its
// kind can say. The webhook refuses such an object, and whoever reads files refuses it in the same words.
//
// It is pure. It compiles ImagePolicies, but not the rules of Environments: policy.Compiler does.
package configuration
