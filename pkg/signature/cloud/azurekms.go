package cloud

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azclouds "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"
)

// fromAzure relies on the context that the client is made with: its PublicKey takes none.
func fromAzure(ctx context.Context, uri string) (crypto.PublicKey, error) {
	key, err := azure.LoadSignerVerifier(ctx, uri)
	if err != nil {
		return nil, err
	}
	if err := checkAzureEnabled(ctx, uri); err != nil {
		return nil, err
	}
	return key.PublicKey()
}

// checkAzureEnabled asks for a key's attributes: Azure hands out disabled keys, too, and sigstore's client does not look.
// The URI was checked by sigstore.
func checkAzureEnabled(ctx context.Context, uri string) error {
	parts := strings.SplitN(strings.TrimPrefix(uri, azure.ReferenceScheme), "/", 3)
	version := ""
	if len(parts) == 3 {
		version = parts[2]
	}
	identity, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: azureOptions()})
	if err != nil {
		return err
	}
	client, err := azkeys.NewClient("https://"+parts[0]+"/", identity, nil)
	if err != nil {
		return err
	}
	answer, err := client.GetKey(ctx, parts[1], version, nil)
	if err != nil {
		return err
	}
	if attributes := answer.Attributes; attributes != nil && attributes.Enabled != nil && !*attributes.Enabled {
		return fmt.Errorf("key %q: %w", parts[1], errDisabled)
	}
	return nil
}

// azureOptions name the cloud as sigstore's client does.
func azureOptions() azcore.ClientOptions {
	switch os.Getenv("AZURE_ENVIRONMENT") {
	case "AZUREUSGOVERNMENT", "AZUREUSGOVERNMENTCLOUD":
		return azcore.ClientOptions{Cloud: azclouds.AzureGovernment}
	case "AZURECHINACLOUD":
		return azcore.ClientOptions{Cloud: azclouds.AzureChina}
	}
	return azcore.ClientOptions{Cloud: azclouds.AzurePublic}
}
