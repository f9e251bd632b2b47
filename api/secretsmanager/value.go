package secretsmanager

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// The staging labels that Secrets Manager moves by itself [D].
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
	pending  = "AWSPENDING" // of a rotation under way
)

// Limits [D].
const (
	maxValue    = 65536 // bytes
	maxVersions = 100
	maxStages   = 20
)

// value is what a request wants to keep as a version.
type value struct {
	id     string // of the version
	plain  []byte
	binary bool
}

// readValue is nil if a request has no value. The version's id is the client's token, so that a request that is repeated makes one
// version.
func (a *api) readValue(text *string, binary []byte, token *string) (*value, error) {
	switch {
	case text == nil && binary == nil:
		return nil, nil
	case text != nil && binary != nil:
		return nil, badParameter("You can't specify both a binary secret value and a string secret value in the same secret.") // [O]
	case len(deref(text)) > maxValue || len(binary) > maxValue:
		return nil, badParameter("The secret value is larger than %d bytes.", maxValue) // [I]
	case token != nil && (len(*token) < 32 || len(*token) > 64):
		return nil, badParameter("ClientRequestToken must be 32-64 characters long.") // [O]
	}
	v := &value{id: deref(token), plain: binary, binary: text == nil}
	if text != nil {
		v.plain = []byte(*text)
	}
	if v.id == "" {
		id, err := uuid.NewRandomFromReader(a.Random)
		if err != nil {
			return nil, err
		}
		v.id = id.String()
	}
	return v, nil
}

// add makes a value a version of the secret, with staging labels, which others lose. The version may be there, without a value, if its
// rotation has begun.
func (a *api) add(ctx context.Context, tx *state.Tx, row *model.Secret, v *value, stages []string) error {
	kept := &model.SecretValue{Scope: row.Scope, Name: row.Name, Suffix: row.Suffix, ID: v.id, Binary: v.binary}
	if _, ok := tx.SecretValues.Get(kept.Key()); ok {
		return model.Errorf("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", v.id, row.ARN()) // [O]
	}
	if err := a.lock(ctx, tx, row, kept, v.plain); err != nil {
		return err
	}
	tx.SecretValues.Put(kept)
	row.Versions = slices.Clone(row.Versions)
	i := slices.IndexFunc(row.Versions, func(have model.SecretStages) bool { return have.ID == v.id })
	if i < 0 {
		i = len(row.Versions)
		row.Versions = append(row.Versions, model.SecretStages{ID: v.id, CreatedAt: a.now()})
	}
	row.Versions[i].KMSKey = row.KMSKey
	if len(row.Versions) == 1 && !slices.Contains(stages, current) {
		stages = append(slices.Clone(stages), current) // the first one is the current one [D]
	}
	for _, s := range stages {
		attach(row, s, v.id)
	}
	row.ChangedAt = a.now()
	return trim(tx, row)
}

// trim lets the oldest versions go that have no labels, and are deprecated, while there are too many [D].
func trim(tx *state.Tx, row *model.Secret) error {
	for len(row.Versions) > maxVersions {
		i := slices.IndexFunc(row.Versions, func(have model.SecretStages) bool { return len(have.Stages) == 0 })
		if i < 0 {
			return model.Errorf("LimitExceededException", "The secret has %d versions with staging labels.", maxVersions) // [I]
		}
		tx.SecretValues.Delete(model.SecretValueKey(row.Scope, row.Name, row.Suffix, row.Versions[i].ID))
		row.Versions = slices.Delete(row.Versions, i, i+1)
	}
	return nil
}

// attach gives a version a staging label, which the one that has it loses; who loses AWSCURRENT gets AWSPREVIOUS [D]. The row's
// versions must be a copy.
func attach(row *model.Secret, stage, to string) {
	from := detach(row, stage)
	for i := range row.Versions {
		if v := &row.Versions[i]; v.ID == to {
			v.Stages = append(slices.Clone(v.Stages), stage)
		}
	}
	if stage == current && from != "" && from != to {
		attach(row, previous, from)
	}
}

// detach takes a staging label away, and says from which version, "" if none had it.
func detach(row *model.Secret, stage string) (from string) {
	for i := range row.Versions {
		if v := &row.Versions[i]; slices.Contains(v.Stages, stage) {
			from = v.ID
			v.Stages = slices.DeleteFunc(slices.Clone(v.Stages), func(s string) bool { return s == stage })
		}
	}
	return from
}

func (a *api) putSecretValue(ctx context.Context, in *sdk.PutSecretValueInput) (*sdk.PutSecretValueOutput, error) {
	v, err := a.readValue(in.SecretString, in.SecretBinary, in.ClientRequestToken)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, badRequest("You must provide either SecretString or SecretBinary.") // [O]
	case len(in.VersionStages) > maxStages:
		return nil, model.Errorf("LimitExceededException", "A version can have %d staging labels.", maxStages) // [I]
	}
	stages := in.VersionStages
	if len(stages) == 0 {
		stages = []string{current}
	}
	row, err := a.edit(ctx, in.SecretId, func(tx *state.Tx, row *model.Secret) error {
		if a.repeats(ctx, tx.Tables, row, v) {
			return nil
		}
		return a.add(ctx, tx, row, v, stages)
	})
	if err != nil {
		return nil, err
	}
	return &sdk.PutSecretValueOutput{ARN: aws.String(row.ARN()), Name: aws.String(row.Name), VersionId: &v.id, VersionStages: stagesOf(row)[v.id]}, nil
}

// getSecretValue: without a version it is the current one.
func (a *api) getSecretValue(ctx context.Context, in *sdk.GetSecretValueInput) (*sdk.GetSecretValueOutput, error) {
	t, row, err := a.look(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	if row.DeletedAt != 0 {
		return nil, errMarked
	}
	v, err := choose(row, deref(in.VersionId), deref(in.VersionStage))
	if err != nil {
		return nil, err
	}
	kept, ok := t.SecretValues.Get(model.SecretValueKey(row.Scope, row.Name, row.Suffix, v.ID))
	if !ok {
		return nil, noVersion(deref(in.VersionId), deref(in.VersionStage))
	}
	if err := a.checkAccount(ctx, row, v.KMSKey); err != nil {
		return nil, err
	}
	plain, err := a.unlock(ctx, t, &a.keys, row, kept)
	if err != nil {
		return nil, err
	}
	out := &sdk.GetSecretValueOutput{
		ARN: aws.String(row.ARN()), Name: aws.String(row.Name), VersionId: aws.String(v.ID), VersionStages: v.Stages, CreatedDate: moment(v.CreatedAt),
	}
	if kept.Binary {
		out.SecretBinary = plain
	} else {
		out.SecretString = aws.String(string(plain))
	}
	return out, nil
}

// choose finds a version by id, by staging label, or by both (wordings [O]).
func choose(row *model.Secret, id, stage string) (*model.SecretStages, error) {
	if id == "" && stage == "" {
		stage = current
	}
	for i := range row.Versions {
		v := &row.Versions[i]
		switch {
		case id != "" && v.ID != id, id == "" && !slices.Contains(v.Stages, stage):
		case stage != "" && !slices.Contains(v.Stages, stage):
			return nil, badRequest("You provided a VersionStage that is not associated to the provided VersionId.")
		default:
			return v, nil
		}
	}
	return nil, noVersion(id, stage)
}

// noVersion says that there is no value of a version (wordings [O]).
func noVersion(id, stage string) error {
	if id != "" {
		return model.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", id)
	}
	return model.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", stage)
}

func (a *api) listSecretVersionIDs(ctx context.Context, in *sdk.ListSecretVersionIdsInput) (*sdk.ListSecretVersionIdsOutput, error) {
	_, row, err := a.look(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	var all []model.SecretStages
	for _, v := range row.Versions {
		if len(v.Stages) > 0 || deref(in.IncludeDeprecated) {
			all = append(all, v)
		}
	}
	page, next, err := pageOf("ListSecretVersionIds", []string{row.Key()}, all, func(v model.SecretStages) string { return v.ID }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sdk.ListSecretVersionIdsOutput{ARN: aws.String(row.ARN()), Name: aws.String(row.Name), Versions: []types.SecretVersionsListEntry{}, NextToken: next}
	for _, v := range page {
		out.Versions = append(out.Versions, types.SecretVersionsListEntry{
			VersionId: aws.String(v.ID), VersionStages: v.Stages, CreatedDate: moment(v.CreatedAt), KmsKeyIds: []string{cmp.Or(v.KMSKey, "DefaultEncryptionKey")}, // [D]
		})
	}
	return out, nil
}

// updateSecretVersionStage moves a staging label. Who moves one that is attached has to say from where (wordings [O]).
func (a *api) updateSecretVersionStage(ctx context.Context, in *sdk.UpdateSecretVersionStageInput) (*sdk.UpdateSecretVersionStageOutput, error) {
	stage, to, from := deref(in.VersionStage), deref(in.MoveToVersionId), deref(in.RemoveFromVersionId)
	row, err := a.edit(ctx, in.SecretId, func(_ *state.Tx, row *model.Secret) error {
		has := ""
		for _, v := range row.Versions {
			if slices.Contains(v.Stages, stage) {
				has = v.ID
			}
		}
		exists := func(id string) bool {
			return slices.ContainsFunc(row.Versions, func(v model.SecretStages) bool { return v.ID == id })
		}
		switch {
		case to == "" && stage == current:
			return badParameter("You can't remove the staging label AWSCURRENT from a version without moving it to another one.") // [I]
		case to != "" && !exists(to), from != "" && !exists(from):
			return model.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
		case has != "" && has != to && from == "":
			return badParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, has)
		case from != "" && from != has:
			return badParameter("Staging label %s is not attached to version %s.", stage, from) // [I]
		}
		row.Versions = slices.Clone(row.Versions)
		if to == "" {
			detach(row, stage)
		} else if has != to {
			attach(row, stage, to)
		}
		row.ChangedAt = a.now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateSecretVersionStageOutput{ARN: aws.String(row.ARN()), Name: aws.String(row.Name)}, nil
}
