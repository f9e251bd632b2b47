package policy

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Kind is what a document is stored as. It says what the document must and must not contain. A managed policy may be attached,
// be a permissions boundary, or narrow a session.
type Kind int

const (
	UserInline Kind = iota
	GroupInline
	RoleInline
	Managed
	SessionPolicy // that a caller of AssumeRole hands over
	Trust         // AssumeRolePolicyDocument of a role
	Resource      // of a repository, a secret, a log group...
	KeyPolicy     // of a KMS key: like Trust, nobody has access but through it
)

// Limit is the most characters that a document of the kind may have, white space not counted [D]. For inline policies it is
// about all of a user, group or role together. 0 for policies of resources, whose services have limits of their own.
func (k Kind) Limit() int {
	return [...]int{UserInline: 2048, GroupInline: 5120, RoleInline: 10240, Managed: 6144, SessionPolicy: 2048, Trust: 2048, Resource: 0, KeyPolicy: 32768}[k]
}

// Size counts the characters of a document as the limits do: without white space.
func Size(text string) int {
	n := 0
	for _, r := range text {
		if !strings.ContainsRune(" \t\r\n", r) {
			n++
		}
	}
	return n
}

func (k Kind) checkSize(text string) error {
	if k.Limit() == 0 || Size(text) <= k.Limit() {
		return nil
	}
	switch k {
	case Managed:
		return model.Errorf("LimitExceeded", "Cannot exceed quota for PolicySize: %d", k.Limit())
	case Trust:
		return model.Errorf("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d", k.Limit())
	}
	return model.Errorf("LimitExceeded", "Maximum policy size of %d bytes exceeded", k.Limit())
}

// CheckInline refuses inline policies that are too long together [D]. Owner is the name of their user, group or role.
func (k Kind) CheckInline(owner string, texts ...string) error {
	total := 0
	for _, t := range texts {
		total += Size(t)
	}
	if total <= k.Limit() {
		return nil
	}
	noun := [...]string{UserInline: "user", GroupInline: "group", RoleInline: "role"}[k]
	return model.Errorf("LimitExceeded", "Maximum policy size of %d bytes exceeded for %s %s", k.Limit(), noun, owner)
}

// named says whether statements of the kind name principals.
func (k Kind) named() bool { return k >= Trust }

// gate says whether nobody has access but whom the policy of the resource names, its own account's identities included [D].
func (k Kind) gate() bool { return k == Trust || k == KeyPolicy }

func malformed(format string, args ...any) error {
	return model.Errorf("MalformedPolicyDocument", format, args...)
}
