package cloud

import (
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/smithy-go"
	vault "github.com/hashicorp/vault/api"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// answerOf is what a service said of a key: fs.ErrNotExist where it is gone or disabled, fs.ErrPermission where this
// process may not read it, and nil for all else: that it does not know this process at all, or fails.
func answerOf(err error) error {
	var ofAWS smithy.APIError
	var ofAzure *azcore.ResponseError
	var ofVault *vault.ResponseError
	switch {
	case errors.As(err, &ofAWS):
		return answerOfAWS(ofAWS.ErrorCode())
	case errors.As(err, &ofAzure):
		return answerOfHTTP(ofAzure.StatusCode)
	case errors.As(err, &ofVault):
		if slices.ContainsFunc(ofVault.Errors, func(text string) bool { return strings.Contains(text, "invalid token") }) {
			return nil
		}
		return answerOfHTTP(ofVault.StatusCode)
	case errors.Is(err, iterator.Done), errors.Is(err, errDisabled), strings.HasPrefix(err.Error(), noVaultKey):
		return fs.ErrNotExist
	}
	switch codeOf(err) {
	case codes.NotFound, codes.FailedPrecondition:
		return fs.ErrNotExist
	case codes.PermissionDenied:
		return fs.ErrPermission
	}
	return nil
}

// noVaultKey begins the only sign of sigstore's client that Vault has no such key: it takes the 404 for no content.
const noVaultKey = "could not read data from transit key path"

// answerOfAWS reads the codes of https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html#API_GetPublicKey_Errors
func answerOfAWS(code string) error {
	switch code {
	case "NotFoundException", "DisabledException", "KMSInvalidStateException":
		return fs.ErrNotExist
	case "AccessDeniedException":
		return fs.ErrPermission
	}
	return nil
}

func answerOfHTTP(code int) error {
	switch code {
	case http.StatusNotFound, http.StatusGone:
		return fs.ErrNotExist
	case http.StatusForbidden:
		return fs.ErrPermission
	}
	return nil
}

// codeOf is the code of a gRPC answer; OK where there was none.
func codeOf(err error) codes.Code {
	var answered interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &answered) {
		return codes.OK
	}
	return answered.GRPCStatus().Code()
}
