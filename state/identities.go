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

// HasPrincipal says whether the user or role with the ARN is there. Those of accounts that are not here are not known, and sessions
// come and go: they are there.
func (t *Tables) HasPrincipal(arn string) bool {
	a, _ := model.ParseARN(arn)
	if _, here := t.Accounts.Get(a.Account); !here || a.Service != "iam" {
		return true
	}
	key := model.IAMKey(a.Account, arn[strings.LastIndexByte(arn, '/')+1:])
	switch a.Type() {
	case "user":
		_, ok := t.Users.Get(key)
		return ok
	case "role":
		_, ok := t.Roles.Get(key)
		return ok
	}
	return true
}

// SecretByID returns the secret of Secrets Manager that somebody in a scope means: by name, by ARN, or by its ARN without the six
// characters of its own; nil if there is none. A whole ARN comes first: no other secret can hide behind it by its name.
func (t *Tables) SecretByID(s model.Scope, id string) *model.Secret {
	name := id
	if arn, ok := model.ParseARN(id); ok {
		tail, secret := strings.CutPrefix(arn.Tail, "secret:")
		if arn.Service != "secretsmanager" || !secret {
			return nil
		}
		s, name = arn.Scope, tail
		if i := len(tail) - 7; i > 0 && tail[i] == '-' {
			if row, ok := t.Secrets.Get(s.Key(tail[:i])); ok && row.ARN() == id {
				return row
			}
		}
	}
	row, _ := t.Secrets.Get(s.Key(name))
	return row
}

// ParameterByID returns the parameter that somebody in a scope means, by name or ARN; nil if there is none. Of /b and b, which have
// one ARN, it means b.
func (t *Tables) ParameterByID(s model.Scope, id string) *model.Parameter {
	if arn, ok := model.ParseARN(id); ok {
		tail, parameter := strings.CutPrefix(arn.Tail, "parameter/")
		if arn.Service != "ssm" || !parameter {
			return nil
		}
		if row, ok := t.Parameters.Get(arn.Scope.Key(tail)); ok && !strings.Contains(tail, "/") {
			return row
		}
		s, id = arn.Scope, "/"+tail
	}
	row, _ := t.Parameters.Get(s.Key(id))
	return row
}

// KMSKeyByID returns the key of KMS that somebody in a scope means: by id, by ARN, by the name of an alias, or by an alias's ARN; nil
// if there is none.
func (t *Tables) KMSKeyByID(s model.Scope, id string) *model.KMSKey {
	if arn, ok := model.ParseARN(id); ok {
		if arn.Service != "kms" {
			return nil
		}
		s, id = arn.Scope, arn.Tail
		if key, ok := strings.CutPrefix(id, "key/"); ok {
			id = key
		} else if !strings.HasPrefix(id, "alias/") {
			return nil
		}
	}
	if strings.HasPrefix(id, "alias/") {
		alias, ok := t.KMSAliases.Get(s.Key(id))
		if !ok {
			return nil
		}
		id = alias.KeyID
	}
	row, _ := t.KMSKeys.Get(s.Key(id))
	return row
}

// Issuer is the token issuer with the URL, of whatever account, nil if there is none.
func (t *Tables) Issuer(url string) *model.TokenIssuer {
	for i := range t.TokenIssuers.All() {
		if i.URL == url {
			return i
		}
	}
	return nil
}
