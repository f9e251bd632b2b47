package secretsmanager

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/model"
)

// maxBatch is how many secrets a batch has [D].
const maxBatch = 20

// batchGetSecretValue gets the current values of secrets that are named, or that meet filters. Each is decided about by itself: what
// GetSecretValue would be refused with stands in Errors.
func (a *api) batchGetSecretValue(ctx context.Context, in *sdk.BatchGetSecretValueInput) (*sdk.BatchGetSecretValueOutput, error) {
	out := &sdk.BatchGetSecretValueOutput{SecretValues: []types.SecretValueEntry{}, Errors: []types.APIErrorType{}}
	ids, next, err := a.batch(ctx, in)
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	for _, id := range ids {
		v, err := a.member(ctx, id)
		if refusal, ok := errors.AsType[*model.Error](err); ok {
			out.Errors = append(out.Errors, types.APIErrorType{SecretId: &id, ErrorCode: &refusal.Code, Message: &refusal.Message})
			continue
		}
		if err != nil {
			return nil, err
		}
		out.SecretValues = append(out.SecretValues, types.SecretValueEntry{
			ARN: v.ARN, Name: v.Name, VersionId: v.VersionId, VersionStages: v.VersionStages, CreatedDate: v.CreatedDate,
			SecretString: v.SecretString, SecretBinary: v.SecretBinary,
		})
	}
	return out, nil
}

// batch is what the secrets of a batch are called, and the token of the next.
func (a *api) batch(ctx context.Context, in *sdk.BatchGetSecretValueInput) (ids []string, next *string, err error) {
	size := in.MaxResults
	switch {
	case (len(in.SecretIdList) == 0) == (len(in.Filters) == 0):
		return nil, nil, badParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.") // [O]
	case size != nil && len(in.Filters) == 0:
		return nil, nil, badParameter("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.") // [O]
	case size != nil && *size > maxBatch:
		return nil, nil, badParameter("MaxResults must be between 1 and %d.", maxBatch) // [I]
	case len(in.SecretIdList) > maxBatch:
		return nil, nil, badParameter("SecretIdList can have up to %d secrets.", maxBatch) // [I]
	case len(in.Filters) == 0:
		return in.SecretIdList, nil, nil
	case size == nil:
		size = aws.Int32(maxBatch)
	}
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	asked, err := filtersOf(in.Filters)
	if err != nil {
		return nil, nil, err
	}
	if err := a.May(ctx, "ListSecrets", &sdk.ListSecretsInput{Filters: in.Filters}); err != nil { // besides [D]
		return nil, nil, err
	}
	page, next, err := pageOf("BatchGetSecretValue", append(asked, s.Account, s.Region), a.filtered(s, in.Filters, false), (*model.Secret).Key, size, in.NextToken)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range page {
		ids = append(ids, row.ARN())
	}
	return ids, next, nil
}

// member gets the value of one of a batch, if the caller may get it by itself [D].
func (a *api) member(ctx context.Context, id string) (*sdk.GetSecretValueOutput, error) {
	in := &sdk.GetSecretValueInput{SecretId: &id}
	if err := a.May(ctx, "GetSecretValue", in); err != nil {
		return nil, err
	}
	return a.getSecretValue(ctx, in)
}
