//go:build !cloud

package main

import "github.com/runeframeos/kubectl-rune/pkg/signature"

// useClouds does nothing in this build: the clouds' SDKs are linked with the tag cloud only (make build-cloud).
func useClouds(*signature.Config) {}
