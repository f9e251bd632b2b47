package logs

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

func invalid(format string, args ...any) error {
	return model.Errorf("InvalidParameterException", format, args...)
}

// violation is the refusal of a member by the service's model [O].
func violation(value any, member, constraint string) error {
	return invalid("1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}

func errNoGroup() error {
	return model.Errorf("ResourceNotFoundException", "The specified log group does not exist.") // [O]
}

func errNoStream() error {
	return model.Errorf("ResourceNotFoundException", "The specified log stream does not exist.") // [O]
}

// refusal puts the store's errors into AWS's words.
func refusal(err error) error {
	switch {
	case errors.Is(err, logstore.ErrNoStream):
		return errNoStream()
	case errors.Is(err, logstore.ErrExists):
		return model.Errorf("ResourceAlreadyExistsException", "The specified log stream already exists") // [O]
	case errors.Is(err, logstore.ErrRemoved):
		return errNoGroup()
	case errors.Is(err, logstore.ErrEpoch): // another member leads meanwhile
		return model.Errorf("ServiceUnavailableException", "The service cannot complete the request.") // [O]
	}
	return err
}

const groupPattern = `[\.\-_/#A-Za-z0-9]+`

var groupName = regexp.MustCompile("^" + groupPattern + "$") //nolint:gochecknoglobals // a constant

func checkGroupName(name string) error {
	switch {
	case name == "":
		return violation(name, "logGroupName", "Member must have length greater than or equal to 1")
	case len(name) > 512:
		return violation(name, "logGroupName", "Member must have length less than or equal to 512")
	case !groupName.MatchString(name):
		return violation(name, "logGroupName", "Member must satisfy regular expression pattern: "+groupPattern)
	}
	return nil
}

func checkStreamName(name string) error {
	switch {
	case name == "":
		return violation(name, "logStreamName", "Member must have length greater than or equal to 1")
	case len(name) > 512:
		return violation(name, "logStreamName", "Member must have length less than or equal to 512")
	case strings.ContainsAny(name, ":*"):
		return violation(name, "logStreamName", "Member must satisfy regular expression pattern: [^:*]*")
	}
	return nil
}

// limit is a page size: what is asked for between 1 and most, or what is usual.
func limit(asked *int32, member string, usual, most int) (int, error) {
	switch n := int(value(asked)); {
	case asked == nil:
		return usual, nil
	case n < 1:
		return 0, violation(n, member, "Member must have value greater than or equal to 1")
	case n > most:
		return 0, violation(n, member, fmt.Sprintf("Member must have value less than or equal to %d", most))
	default:
		return n, nil
	}
}

// anyGroupOf is groupOf for operations that may be about another account's group, if they name it by its ARN: access has asked the
// policies of that group.
func anyGroupOf(s model.Scope, identifier string) (model.Scope, string, error) {
	if a, ok := model.ParseARN(identifier); ok && a.Service == "logs" && a.Region == s.Region {
		s = a.Scope
	}
	name, err := groupOf(s, identifier)
	return s, name, err
}

// groupOf returns the name of the group that an identifier names: a name, or an ARN with or without ":*" at its end.
func groupOf(s model.Scope, identifier string) (string, error) {
	if !strings.HasPrefix(identifier, "arn:") {
		return identifier, nil
	}
	a, ok := model.ParseARN(identifier)
	name, isGroup := strings.CutPrefix(a.Tail, "log-group:")
	if !ok || a.Service != "logs" || !isGroup {
		return "", invalid("The ARN %s is not the ARN of a log group.", identifier) // [I]
	}
	if a.Scope != s {
		return "", errNoGroup()
	}
	return strings.TrimSuffix(name, ":*"), nil
}
