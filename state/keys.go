package state

import (
	"iter"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// FindKMSKey is KMSKeyByID for somebody who wants to use or manage the key, in its own region. One of another account is found by its
// ARN: whoever is asked whether it may be used has its policy. It is the key at now: a material that has expired is not there. The errors are those of KMS (wordings [O]).
func (t *Tables) FindKMSKey(s model.Scope, id string, now model.Millis) (*model.KMSKey, error) {
	arn, isARN := model.ParseARN(id)
	switch {
	case isARN && arn.Service != "kms", strings.HasPrefix(id, "arn:") && !isARN:
		return nil, model.Errorf("ValidationException", "Invalid arn %s", id)
	case isARN && arn.Region != s.Region:
		return nil, model.Errorf("NotFoundException", "Invalid arn %s", arn.Region)
	}
	if row := t.KMSKeyByID(s, id); row != nil && (row.GoneAt == 0 || row.GoneAt > now) {
		return row.At(now), nil
	}
	switch {
	case isARN && strings.HasPrefix(arn.Tail, "alias/"):
		return nil, model.Errorf("NotFoundException", "Alias %s is not found.", id)
	case strings.HasPrefix(id, "alias/"):
		return nil, model.Errorf("NotFoundException", "Alias %s is not found.", s.ARN("kms", id))
	case isARN:
		return nil, model.Errorf("NotFoundException", "Key '%s' does not exist", id)
	}
	return nil, model.Errorf("NotFoundException", "Key '%s' does not exist", s.ARN("kms", "key/"+id))
}

// GrantsOf yields the grants of a key of KMS.
func (t *Tables) GrantsOf(k *model.KMSKey) iter.Seq[*model.KMSGrant] {
	return t.KMSGrants.Prefix(k.Scope.Key(k.ID, ""))
}
