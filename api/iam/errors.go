package iam

import (
	"strings"
	"unicode/utf8"

	"github.com/roadstead/roadstead/model"
)

func errNone(noun, name string) error {
	return model.Errorf("NoSuchEntity", "The %s with name %s cannot be found.", noun, name) // [O]
}

func errExists(noun, name string) error {
	return model.Errorf("EntityAlreadyExists", "%s with name %s already exists.", noun, name) // [O]
}

func errConflict(what string) error {
	return model.Errorf("DeleteConflict", "Cannot delete entity, must %s first.", what) // [O]
}

func errQuota(quota string, limit int) error {
	return model.Errorf("LimitExceeded", "Cannot exceed quota for %s: %d", quota, limit) // [O]
}

// errConstraint is the refusal of a value by IAM's model [O].
func errConstraint(given, member, constraint string) error {
	return model.Errorf("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", given, member, constraint)
}

// checkName refuses a name that IAM does not take: letters, digits and +=,.@_- [D].
func checkName(member, name string, limit int) error {
	switch {
	case name == "":
		return errConstraint(name, member, "Member must have length greater than or equal to 1")
	case utf8.RuneCountInString(name) > limit:
		return errConstraint(name, member, "Member must have length less than or equal to "+decimal(limit))
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+=,.@_-", r)) {
			return model.Errorf("ValidationError", // [O]
				"The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", member)
		}
	}
	return nil
}

// checkPath returns the path of something to be made, "/" by default [D].
func checkPath(path *string) (string, error) {
	p := value(path)
	if p == "" {
		return "/", nil
	}
	if len(p) > 512 || !strings.HasPrefix(p, "/") || !strings.HasSuffix(p, "/") || strings.Contains(p, "//") ||
		strings.ContainsFunc(p, func(r rune) bool { return r < '!' || r > '~' }) {
		return "", model.Errorf("ValidationError", "The specified value for path is invalid. It must begin and end with / and "+
			"contain only alphanumeric characters and/or / characters.") // [O]
	}
	return p, nil
}
