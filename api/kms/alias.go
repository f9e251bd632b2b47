package kms

import (
	"context"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// awsPrefix is how aliases of AWS managed keys begin.
const awsPrefix = "alias/aws/"

var aliasName = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`)

// checkAlias refuses names that a customer's alias cannot have (wordings [O]).
func checkAlias(name string) error {
	switch {
	case !strings.HasPrefix(name, "alias/"):
		return invalid("Invalid identifier")
	case strings.HasPrefix(name, awsPrefix):
		return model.Errorf("NotAuthorizedException", "")
	case !aliasName.MatchString(name):
		return model.Errorf("InvalidAliasNameException", "Alias must only contain alphanumeric characters, forward slashes, underscores and dashes") // [I]
	}
	return nil
}

// aim finds the key that an alias shall be of.
func (a *api) aim(tx *state.Tx, s model.Scope, id string) (*model.KMSKey, error) {
	if strings.Contains(id, "alias/") {
		return nil, invalid("Aliases must refer to keys. Not aliases") // [O]
	}
	key, err := own(s)(tx.FindKMSKey(s, id, a.now()))
	switch {
	case err != nil:
		return nil, err
	case key.AWS != "":
		return nil, model.Errorf("AccessDeniedException", "The key %s is managed by AWS.", key.ARN()) // [I]
	}
	return key, waits(key)
}

func (a *api) createAlias(ctx context.Context, in *sdk.CreateAliasInput) (*sdk.CreateAliasOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkAlias(deref(in.AliasName)); err != nil {
		return nil, err
	}
	return &sdk.CreateAliasOutput{}, a.DB.Update(ctx, func(tx *state.Tx) error {
		key, err := a.aim(tx, s, deref(in.TargetKeyId))
		if err != nil {
			return err
		}
		row := &model.KMSAlias{Scope: s, Name: *in.AliasName, KeyID: key.ID, CreatedAt: a.now(), ChangedAt: a.now()}
		if _, ok := tx.KMSAliases.Get(row.Key()); ok {
			return model.Errorf("AlreadyExistsException", "An alias with the name %s already exists", row.ARN()) // [O]
		}
		tx.KMSAliases.Put(row)
		return nil
	})
}

// alias returns a customer's alias.
func alias(tx *state.Tx, s model.Scope, name string) (*model.KMSAlias, error) {
	if err := checkAlias(name); err != nil {
		return nil, err
	}
	row, ok := tx.KMSAliases.Get(s.Key(name))
	if !ok {
		return nil, model.Errorf("NotFoundException", "Alias %s is not found.", s.ARN("kms", name)) // [O]
	}
	return row, nil
}

func (a *api) updateAlias(ctx context.Context, in *sdk.UpdateAliasInput) (*sdk.UpdateAliasOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateAliasOutput{}, a.DB.Update(ctx, func(tx *state.Tx) error {
		old, err := alias(tx, s, deref(in.AliasName))
		if err != nil {
			return err
		}
		key, err := a.aim(tx, s, deref(in.TargetKeyId))
		if err != nil {
			return err
		}
		row := *old
		row.KeyID, row.ChangedAt = key.ID, a.now()
		tx.KMSAliases.Put(&row)
		return nil
	})
}

func (a *api) deleteAlias(ctx context.Context, in *sdk.DeleteAliasInput) (*sdk.DeleteAliasOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteAliasOutput{}, a.DB.Update(ctx, func(tx *state.Tx) error {
		row, err := alias(tx, s, deref(in.AliasName))
		if err != nil {
			return err
		}
		tx.KMSAliases.Delete(row.Key())
		return nil
	})
}

func (a *api) listAliases(ctx context.Context, in *sdk.ListAliasesInput) (*sdk.ListAliasesOutput, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	t, id := a.DB.Snapshot().Tables, ""
	if in.KeyId != nil {
		key, err := own(s)(t.FindKMSKey(s, *in.KeyId, a.now()))
		if err != nil {
			return nil, err
		}
		id = key.ID
	}
	var rows []*model.KMSAlias
	for row := range t.KMSAliases.Prefix(s.Key("")) {
		if id == "" || row.KeyID == id {
			rows = append(rows, row)
		}
	}
	page, next, err := pageOf("ListAliases", []string{s.Key(""), id}, rows, (*model.KMSAlias).Key, in.Limit, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &sdk.ListAliasesOutput{Aliases: []types.AliasListEntry{}, NextMarker: next, Truncated: next != nil}
	for _, row := range page {
		out.Aliases = append(out.Aliases, types.AliasListEntry{
			AliasName: aws.String(row.Name), AliasArn: aws.String(row.ARN()), TargetKeyId: aws.String(row.KeyID), CreationDate: moment(row.CreatedAt), LastUpdatedDate: moment(row.ChangedAt),
		})
	}
	return out, nil
}
