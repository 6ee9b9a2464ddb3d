//go:build cloud

package main

import (
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/signature"
	"github.com/runeframeos/kubectl-rune/pkg/signature/cloud"
)

// useClouds lets keys lie in key management services, and credentials for the clouds' registries come from the identity
// that the process has there.
func useClouds(config *signature.Config) {
	config.KMS = cloud.NewKMS()
	config.Keychain = cloud.NewKeychain(clock.RealClock{})
}
