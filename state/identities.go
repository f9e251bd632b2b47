package state

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// RoleByARN returns the IAM role with the ARN, nil if there is none.
func (t *Tables) RoleByARN(arn string) *model.Role {
	a, ok := model.ParseARN(arn)
	if !ok {
		return nil
	}
	r, ok := t.Roles.Get(model.IAMKey(a.Account, arn[strings.LastIndexByte(arn, '/')+1:]))
	if !ok || r.ARN() != arn {
		return nil
	}
	return r
}
