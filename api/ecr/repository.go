package ecr

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func (a *API) createRepository(ctx context.Context, in *ecr.CreateRepositoryInput) (*ecr.CreateRepositoryOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if id := value(in.RegistryId); id != "" && id != p.Account {
		return nil, model.Errorf("AccessDeniedException", "User: %s is not authorized to perform: ecr:CreateRepository on "+
			"resource: * because no resource-based policy allows the ecr:CreateRepository action", p.ARN)
	}
	row := &model.Repository{Scope: p.Scope(), Name: value(in.RepositoryName), CreatedAt: a.Now().UnixMilli()}
	if err := checkName(row.Name); err != nil {
		return nil, err
	}
	if row.Immutable, row.Excluded, err = mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if row.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	if c := in.ImageScanningConfiguration; c != nil {
		row.ScanOnPush = c.ScanOnPush
	}
	if row.Encryption, row.KMSKey, err = encryption(in.EncryptionConfiguration); err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if _, ok := tx.Repositories.Get(row.Key()); ok {
			return errRepositoryExists(row.Account, row.Name)
		}
		tx.Repositories.Put(row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.CreateRepositoryOutput{Repository: a.show(row)}, nil
}

func encryption(c *types.EncryptionConfiguration) (kind, key string, err error) {
	if c == nil {
		return string(types.EncryptionTypeAes256), "", nil
	}
	switch c.EncryptionType {
	case types.EncryptionTypeAes256, types.EncryptionTypeKms, types.EncryptionTypeKmsDsse:
		return string(c.EncryptionType), value(c.KmsKey), nil
	}
	return "", "", invalid("encryptionConfiguration.encryptionType", "Member must satisfy enum value set: [AES256, KMS, KMS_DSSE]")
}

// show is a row in ECR's shape.
func (a *API) show(r *model.Repository) *types.Repository {
	kind, filters := showMutability(r)
	out := &types.Repository{
		CreatedAt:                          aws.Time(time.UnixMilli(r.CreatedAt).UTC()),
		EncryptionConfiguration:            &types.EncryptionConfiguration{EncryptionType: types.EncryptionType(r.Encryption)},
		ImageScanningConfiguration:         &types.ImageScanningConfiguration{ScanOnPush: r.ScanOnPush},
		ImageTagMutability:                 kind,
		ImageTagMutabilityExclusionFilters: filters,
		RegistryId:                         aws.String(r.Account),
		RepositoryArn:                      aws.String(r.ARN()),
		RepositoryName:                     aws.String(r.Name),
		RepositoryUri:                      aws.String(a.uri(r)),
	}
	if r.KMSKey != "" {
		out.EncryptionConfiguration.KmsKey = aws.String(r.KMSKey)
	}
	return out
}

func (a *API) describeRepositories(ctx context.Context, in *ecr.DescribeRepositoriesInput) (*ecr.DescribeRepositoriesOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	snap := a.DB.Snapshot()
	out := &ecr.DescribeRepositoriesOutput{Repositories: []types.Repository{}}
	if len(in.RepositoryNames) > 0 {
		if in.MaxResults != nil || value(in.NextToken) != "" {
			return nil, invalid("repositoryNames", "cannot be used with maxResults or nextToken")
		}
		for _, name := range in.RepositoryNames {
			row, err := lookup(snap.Tables, p.Scope(), in.RegistryId, &name)
			if err != nil {
				return nil, err
			}
			out.Repositories = append(out.Repositories, *a.show(row))
		}
		return out, nil
	}
	scope, err := registryScope(p.Scope(), in.RegistryId)
	if err != nil {
		return nil, err
	}
	var rows []*model.Repository
	for r := range snap.Repositories.Prefix(scope.Key("")) {
		rows = append(rows, r)
	}
	rows, out.NextToken, err = pageOf("DescribeRepositories", []string{p.Account, p.Region, value(in.RegistryId)}, rows,
		func(r *model.Repository) string { return r.Name }, in.MaxResults, in.NextToken)
	for _, r := range rows {
		out.Repositories = append(out.Repositories, *a.show(r))
	}
	return out, err
}

func (a *API) deleteRepository(ctx context.Context, in *ecr.DeleteRepositoryInput) (*ecr.DeleteRepositoryOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	// The row first: images without a row do not exist, whatever cuts the rest short.
	err = images.Remove(ctx, func(empty bool) error {
		if !empty && !in.Force {
			return errNotEmpty(row.Account, row.Name)
		}
		return a.DB.Update(ctx, func(tx *state.Tx) error {
			if _, ok := tx.Repositories.Get(row.Key()); !ok {
				return errNoRepository(row.Account, row.Name)
			}
			tx.Repositories.Delete(row.Key())
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryOutput{Repository: a.show(row)}, nil
}

func (a *API) putImageScanningConfiguration(ctx context.Context, in *ecr.PutImageScanningConfigurationInput) (
	*ecr.PutImageScanningConfigurationOutput, error,
) {
	row, err := a.change(ctx, in.RegistryId, in.RepositoryName, func(r *model.Repository) error {
		r.ScanOnPush = in.ImageScanningConfiguration.ScanOnPush
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutImageScanningConfigurationOutput{
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: row.ScanOnPush},
		RegistryId:                 aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}, nil
}

// change puts a changed copy of a repository's row.
func (a *API) change(ctx context.Context, registryID, name *string, f func(*model.Repository) error) (*model.Repository, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	var row model.Repository
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		r, err := lookup(tx.Tables, p.Scope(), registryID, name)
		if err != nil {
			return err
		}
		row = *r
		if err := f(&row); err != nil {
			return err
		}
		tx.Repositories.Put(&row)
		return nil
	})
	return &row, err
}

// parseARN returns the name of the repository that an ARN names; another's ARN names none.
func parseARN(s model.Scope, arn string) (name string, err error) {
	a, ok := model.ParseARN(arn)
	name, isRepository := strings.CutPrefix(a.Tail, "repository/")
	if !ok || a.Service != "ecr" || !isRepository {
		return "", invalid("resourceArn", "Invalid ARN")
	}
	if a.Scope != s {
		return "", errNoRepository(a.Account, name)
	}
	return name, nil
}
