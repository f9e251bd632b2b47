package auth

import "github.com/roadstead/roadstead/model"

// The codes that Verify returns, as the JSON protocols spell them. wire translates them for the query protocols.
const (
	codeMissing      = "MissingAuthenticationTokenException"
	codeIncomplete   = "IncompleteSignatureException"
	codeUnrecognized = "UnrecognizedClientException"
	codeInvalid      = "InvalidSignatureException"
	codeExpired      = "ExpiredTokenException"
)

func errMissing() error { return model.Errorf(codeMissing, "Missing Authentication Token") }

// ErrUnrecognized is the refusal of credentials that are nobody's, or nobody's any more.
func ErrUnrecognized() error {
	return model.Errorf(codeUnrecognized, "The security token included in the request is invalid.")
}

func errExpired() error {
	return model.Errorf(codeExpired, "The security token included in the request is expired")
}

func errMismatch() error {
	return model.Errorf(codeInvalid, "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}
