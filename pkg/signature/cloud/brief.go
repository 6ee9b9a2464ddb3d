package cloud

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/smithy-go"
	vault "github.com/hashicorp/vault/api"
)

// maxWords bounds what is told of an error that has no short form, in bytes.
const maxWords = 400

// briefError is an error of an SDK in one line. SDKs answer with pages that hold requests and advice on their tools.
type briefError struct {
	text string
	err  error
	// answer is what the service said of the key: fs.ErrNotExist, fs.ErrPermission, or nothing where it said neither.
	answer error
}

func (e *briefError) Error() string { return e.text }

// Is what lies below. That a file of this process' own credentials does not exist is not what a service said of a key.
func (e *briefError) Is(target error) bool {
	switch target {
	case fs.ErrNotExist, fs.ErrPermission:
		return e.answer == target
	}
	return errors.Is(e.err, target)
}

// As finds what lies below.
func (e *briefError) As(target any) bool { return errors.As(e.err, target) }

// brief puts an SDK's error into one line: what the service answered, where it answered.
func brief(err error) error {
	if err == nil {
		return nil
	}
	var ofAWS smithy.APIError
	var ofAzure *azcore.ResponseError
	var ofVault *vault.ResponseError
	text := err.Error()
	switch {
	case errors.As(err, &ofAWS):
		text = fmt.Sprintf("it answered %s: %s", ofAWS.ErrorCode(), ofAWS.ErrorMessage())
	case errors.As(err, &ofAzure):
		text = fmt.Sprintf("it answered %d %s", ofAzure.StatusCode, ofAzure.ErrorCode)
	case errors.As(err, &ofVault):
		text = fmt.Sprintf("it answered %d %s", ofVault.StatusCode, http.StatusText(ofVault.StatusCode))
		if len(ofVault.Errors) > 0 {
			text += ": " + strings.Join(ofVault.Errors, "; ")
		}
	}
	return &briefError{text: flat(text), err: err, answer: answerOf(err)}
}

// flat is text in one line, and not too much of it.
func flat(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= maxWords {
		return text
	}
	end := maxWords
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
