package toolchain

const rekorTiles = "github.com/sigstore/rekor-tiles/v2"

// signingTools are what images are signed with, and what a signature needs: no cluster runs them.
func signingTools() []Tool {
	return []Tool{
		{
			Name: "cosign", Module: "github.com/sigstore/cosign/v2", Packages: []string{"github.com/sigstore/cosign/v2/cmd/cosign"}, Binaries: []string{"cosign"},
			Usual: "3 to 5 min",
		},
		{
			Name: "cosign3", Module: "github.com/sigstore/cosign/v3", Packages: []string{"github.com/sigstore/cosign/v3/cmd/cosign"}, Binaries: []string{"cosign3"},
			Usual: "3 to 5 min",
		},
		{
			Name: "fulcio", Module: "github.com/sigstore/fulcio", Packages: []string{"github.com/sigstore/fulcio"}, Binaries: []string{"fulcio"},
			Usual: "30 s",
		},
		{
			Name: "timestamp", Module: "github.com/sigstore/timestamp-authority/v2", Packages: []string{"."}, Binaries: []string{"timestamp-server"},
			Usual: "30 s",
		},
		{
			Name: "rekor", Module: rekorTiles, Packages: []string{rekorTiles + "/cmd/rekor-server/posix"}, Binaries: []string{"rekor-server"},
			Usual: "30 s",
		},
		{
			Name: "rekor-dsse", Module: rekorTiles, Packages: []string{rekorTiles + "/cmd/rekor-server/posix"}, Binaries: []string{"rekor-server-dsse"},
			Usual: "30 s",
		},
		{
			Name: "rekor1", Module: "github.com/sigstore/rekor", Packages: []string{"."}, Binaries: []string{"rekor1"},
			Usual: "1 to 2 min",
		},
		{
			Name: "distribution", Module: "github.com/distribution/distribution/v3", Packages: []string{"github.com/distribution/distribution/v3/cmd/registry"},
			Binaries: []string{"registry"}, Usual: "1 min",
		},
	}
}
