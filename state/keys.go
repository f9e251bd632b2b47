package state

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// FindKMSKey is KMSKeyByID for somebody who wants to use or manage the key, in its own account and region: nothing is shared with
// others. The errors are those of KMS (wordings [O]).
func (t *Tables) FindKMSKey(s model.Scope, id string, now model.Millis) (*model.KMSKey, error) {
	arn, isARN := model.ParseARN(id)
	switch {
	case isARN && arn.Service != "kms", strings.HasPrefix(id, "arn:") && !isARN:
		return nil, model.Errorf("ValidationException", "Invalid arn %s", id)
	case isARN && arn.Region != s.Region:
		return nil, model.Errorf("NotFoundException", "Invalid arn %s", arn.Region)
	case isARN && arn.Account != s.Account:
		return nil, model.Errorf("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
	}
	if row := t.KMSKeyByID(s, id); row != nil && (row.GoneAt == 0 || row.GoneAt > now) {
		return row, nil
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

// EncryptsWith says whether somebody can encrypt with a key now, by what KMS answers. The alias of the AWS managed key of the service
// that asks always does: such a key is made by its first use [D].
func (t *Tables) EncryptsWith(s model.Scope, service, id string, now model.Millis) error {
	if managed := "alias/aws/" + service; id == managed || id == s.ARN("kms", managed) {
		return nil
	}
	row, err := t.FindKMSKey(s, id, now)
	if err != nil {
		return err
	}
	return row.Usable()
}
