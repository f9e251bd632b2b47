package secretsmanager

import (
	"context"
	"io"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]{1,512}$`)

// createSecret makes a secret, with a value or without.
func (a *api) createSecret(ctx context.Context, in *sdk.CreateSecretInput) (*sdk.CreateSecretOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case !secretName.MatchString(deref(in.Name)):
		return nil, model.Errorf("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!") // [O]
	case len(in.AddReplicaRegions) > 0 || deref(in.Type) != "":
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead does not serve replicas of secrets and managed external secrets.")
	}
	value, err := a.readValue(in.SecretString, in.SecretBinary, in.ClientRequestToken)
	if err != nil {
		return nil, err
	}
	row := &model.Secret{Scope: s, Name: *in.Name, Description: deref(in.Description), KMSKey: deref(in.KmsKeyId), CreatedAt: a.now(), ChangedAt: a.now()}
	if row.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if row.Suffix, err = a.suffix(); err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		old, ok := tx.Secrets.Get(row.Key())
		switch {
		case !ok:
		case old.DeletedAt != 0 && old.GoneAt <= a.now():
			drop(tx, old)
		case old.DeletedAt != 0:
			return badRequest("You can't create this secret because a secret with this name is already scheduled for deletion.") // [O]
		case value != nil && a.repeats(ctx, tx.Tables, old, value):
			*row = *old
			return nil
		default:
			return model.Errorf("ResourceExistsException", "The operation failed because the secret %s already exists.", row.Name) // [O]
		}
		if err := a.checkKey(ctx, tx, row); err != nil {
			return err
		}
		if value != nil {
			if err := a.add(ctx, tx, row, value, []string{current}); err != nil {
				return err
			}
		}
		tx.Secrets.Put(row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &sdk.CreateSecretOutput{ARN: aws.String(row.ARN()), Name: &row.Name}
	if value != nil {
		out.VersionId = &value.id
	}
	return out, nil
}

// suffix is six letters and digits.
func (a *api) suffix() (string, error) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b [6]byte
	if _, err := io.ReadFull(a.Random, b[:]); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:]), nil
}

// updateSecret changes what is given. A value becomes the current one.
func (a *api) updateSecret(ctx context.Context, in *sdk.UpdateSecretInput) (*sdk.UpdateSecretOutput, error) {
	value, err := a.readValue(in.SecretString, in.SecretBinary, in.ClientRequestToken)
	if err != nil {
		return nil, err
	}
	row, err := a.edit(ctx, in.SecretId, func(tx *state.Tx, row *model.Secret) error {
		if in.Description != nil {
			row.Description = *in.Description
		}
		if in.KmsKeyId != nil {
			row.KMSKey = *in.KmsKeyId
			if err := a.checkKey(ctx, tx, row); err != nil {
				return err
			}
			if err := a.rewrap(ctx, tx, row); err != nil {
				return err
			}
		}
		row.ChangedAt = a.now()
		if value == nil || a.repeats(ctx, tx.Tables, row, value) {
			return nil
		}
		return a.add(ctx, tx, row, value, []string{current})
	})
	if err != nil {
		return nil, err
	}
	out := &sdk.UpdateSecretOutput{ARN: aws.String(row.ARN()), Name: &row.Name}
	if value != nil {
		out.VersionId = &value.id
	}
	return out, nil
}

func (a *api) describeSecret(ctx context.Context, in *sdk.DescribeSecretInput) (*sdk.DescribeSecretOutput, error) {
	_, row, err := a.look(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	r, enabled, rule := rotationOf(row)
	return &sdk.DescribeSecretOutput{
		RotationEnabled: enabled, RotationLambdaARN: optional(r.Target), RotationRules: rule, LastRotatedDate: moment(r.LastAt), NextRotationDate: moment(closes(&r)),
		ARN: aws.String(row.ARN()), Name: aws.String(row.Name), Description: optional(row.Description), KmsKeyId: optional(row.KMSKey),
		CreatedDate: moment(row.CreatedAt), LastChangedDate: moment(row.ChangedAt), DeletedDate: moment(row.DeletedAt), Tags: tagViews(row.Tags),
		VersionIdsToStages: stagesOf(row),
	}, nil
}

// listSecrets lists by name; those that are marked for deletion only if that is asked for.
func (a *api) listSecrets(ctx context.Context, in *sdk.ListSecretsInput) (*sdk.ListSecretsOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	asked, err := filtersOf(in.Filters)
	if err != nil {
		return nil, err
	}
	asked = append(asked, s.Account, s.Region, string(in.SortOrder))
	rows := a.filtered(s, in.Filters, deref(in.IncludePlannedDeletion))
	if in.SortOrder == types.SortOrderTypeDesc {
		slices.Reverse(rows)
	}
	page, next, err := pageOf("ListSecrets", asked, rows, (*model.Secret).Key, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sdk.ListSecretsOutput{SecretList: []types.SecretListEntry{}, NextToken: next}
	for _, row := range page {
		r, enabled, rule := rotationOf(row)
		out.SecretList = append(out.SecretList, types.SecretListEntry{
			RotationEnabled: enabled, RotationLambdaARN: optional(r.Target), RotationRules: rule, LastRotatedDate: moment(r.LastAt), NextRotationDate: moment(closes(&r)),
			ARN: aws.String(row.ARN()), Name: aws.String(row.Name), Description: optional(row.Description), KmsKeyId: optional(row.KMSKey),
			CreatedDate: moment(row.CreatedAt), LastChangedDate: moment(row.ChangedAt), DeletedDate: moment(row.DeletedAt), Tags: tagViews(row.Tags),
			SecretVersionsToStages: stagesOf(row),
		})
	}
	return out, nil
}

// pageOf returns the page of a listing that begins behind the token's key, and the token of the next.
func pageOf[T any](op string, filters any, items []T, key func(T) string, size *int32, token *string) ([]T, *string, error) {
	n := int(deref(size))
	switch {
	case size == nil:
		n = 100
	case n < 1 || n > 100:
		return nil, nil, badParameter("MaxResults must be between 1 and 100.") // [I]
	}
	if token != nil {
		last, err := wire.ParsePageToken(op, filters, *token)
		if err != nil {
			return nil, nil, model.Errorf("InvalidNextTokenException", "The NextToken value is invalid.") // [I]
		}
		if i := slices.IndexFunc(items, func(i T) bool { return key(i) == last }); i >= 0 {
			items = items[i+1:]
		}
	}
	if len(items) <= n {
		return items, nil, nil
	}
	return items[:n], aws.String(wire.PageToken(op, filters, key(items[n-1]))), nil
}

// Recovery windows, in days [D].
const (
	defaultWindow = 30
	shortest      = 7
	longest       = 30
	day           = 24 * 3600 * 1000
)

// deleteSecret marks a secret, which is gone when its recovery window is over; or deletes it at once.
func (a *api) deleteSecret(ctx context.Context, in *sdk.DeleteSecretInput) (*sdk.DeleteSecretOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	force, window := deref(in.ForceDeleteWithoutRecovery), int64(defaultWindow)
	if in.RecoveryWindowInDays != nil {
		window = *in.RecoveryWindowInDays
		switch {
		case force:
			return nil, badParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.") // [O]
		case window < shortest || window > longest:
			return nil, badParameter("The RecoveryWindowInDays value must be between %d and %d days (inclusive).", shortest, longest) // [O]
		}
	}
	out := &sdk.DeleteSecretOutput{}
	return out, a.DB.Update(ctx, func(tx *state.Tx) error {
		now := a.now()
		old, err := find(tx.Tables, s, deref(in.SecretId), now)
		switch {
		case err != nil && force: // one that is not there is deleted [D]
			*out = sdk.DeleteSecretOutput{Name: in.SecretId, DeletionDate: moment(now)}
			return nil
		case err != nil:
			return err
		case force:
			drop(tx, old)
			*out = sdk.DeleteSecretOutput{ARN: aws.String(old.ARN()), Name: aws.String(old.Name), DeletionDate: moment(now)}
			return nil
		case old.DeletedAt != 0:
			return badRequest("You can't perform this operation on the secret because it was already scheduled for deletion.") // [O]
		}
		row := *old
		row.DeletedAt, row.GoneAt = now, now+window*day
		tx.Secrets.Put(&row)
		*out = sdk.DeleteSecretOutput{ARN: aws.String(row.ARN()), Name: aws.String(row.Name), DeletionDate: moment(row.GoneAt)}
		return nil
	})
}

// drop deletes a secret with all its values.
func drop(tx *state.Tx, row *model.Secret) {
	for _, v := range row.Versions {
		tx.SecretValues.Delete(model.SecretValueKey(row.Scope, row.Name, row.Suffix, v.ID))
	}
	tx.Secrets.Delete(row.Key())
}

func (a *api) restoreSecret(ctx context.Context, in *sdk.RestoreSecretInput) (*sdk.RestoreSecretOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	out := &sdk.RestoreSecretOutput{}
	return out, a.DB.Update(ctx, func(tx *state.Tx) error {
		old, err := find(tx.Tables, s, deref(in.SecretId), a.now())
		if err != nil {
			return err
		}
		row := *old
		row.DeletedAt, row.GoneAt = 0, 0
		tx.Secrets.Put(&row)
		*out = sdk.RestoreSecretOutput{ARN: aws.String(row.ARN()), Name: aws.String(row.Name)}
		return nil
	})
}

func (a *api) tagResource(ctx context.Context, in *sdk.TagResourceInput) (*sdk.TagResourceOutput, error) {
	_, err := a.edit(ctx, in.SecretId, func(_ *state.Tx, row *model.Secret) (err error) {
		row.Tags, err = mergeTags(row.Tags, in.Tags)
		return err
	})
	return &sdk.TagResourceOutput{}, err
}

func (a *api) untagResource(ctx context.Context, in *sdk.UntagResourceInput) (*sdk.UntagResourceOutput, error) {
	_, err := a.edit(ctx, in.SecretId, func(_ *state.Tx, row *model.Secret) error {
		row.Tags = slices.DeleteFunc(slices.Clone(row.Tags), func(t model.Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return nil
	})
	return &sdk.UntagResourceOutput{}, err
}
