package auth

import "github.com/roadstead/roadstead/model"

// The codes that Verify returns, as the JSON protocols spell them. wire translates them for the query protocols.
const (
	codeMissing      = "MissingAuthenticationTokenException"
	codeIncomplete   = "IncompleteSignatureException"
	codeUnrecognized = "UnrecognizedClientException"
	codeInvalid      = "InvalidSignatureException"
)

func errMissing() error { return model.Errorf(codeMissing, "Missing Authentication Token") }

func errUnrecognized() error {
	return model.Errorf(codeUnrecognized, "The security token included in the request is invalid.")
}

func errMismatch() error {
	return model.Errorf(codeInvalid, "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}
