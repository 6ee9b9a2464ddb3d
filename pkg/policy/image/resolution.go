package image

// Resolution is what a tag names.
type Resolution struct {
	// Digest of the manifest ("sha256:…").
	Digest string
	// Stale says why an earlier answer was used: the registry fails. Empty where the registry was asked.
	Stale string
}
