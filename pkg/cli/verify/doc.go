// Package verify is `kubectl rune verify`: it asks registries whether images satisfy the ImagePolicies that cover
// them, by the code that admission asks, and says for every policy who signed, what is attested and why something does
// not count.
//
// It changes nothing, and judges no rule of an environment but signatures: `kubectl rune check` and `kubectl rune
// audit` judge those of manifests and of what runs.
package verify
