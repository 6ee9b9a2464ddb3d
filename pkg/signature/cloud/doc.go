// Package cloud reads public keys from the key management services of AWS, Azure, Google and from Vault, and finds
// credentials for the registries of the three clouds: with the identity that the process has there.
//
// It only reads public keys: no service is asked to sign or to verify anything. It is for the webhook alone, and linked
// by a build with the tag cloud only, since the clouds' SDKs weigh more than all the rest.
package cloud
