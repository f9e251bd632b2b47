package definition

import (
	"errors"

	"github.com/roadstead/roadstead/model"
)

// AWS answers nearly every refused registration with ClientException (SEMANTICS §12); launches and tags are refused with
// InvalidParameterException.
const (
	codeClient  = "ClientException"
	codeInvalid = "InvalidParameterException"
)

// refuse builds the refusal of a registration.
func refuse(format string, args ...any) error { return model.Errorf(codeClient, format, args...) }

// invalid builds the refusal of a parameter.
func invalid(format string, args ...any) error { return model.Errorf(codeInvalid, format, args...) }

// asInvalid gives a refusal the code that launches answer with, in place of the one of registrations.
func asInvalid(err error) error {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return invalid("%s", e.Message)
	}
	return err
}
