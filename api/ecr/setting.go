package ecr

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/roadstead/roadstead/model"
)

// settingValues are the values that an account setting may have, the default first; nil for one that is not served.
func settingValues(name string) []string {
	switch name {
	case "BASIC_SCAN_TYPE_VERSION":
		return []string{"AWS_NATIVE", "CLAIR"} // kept: who scans is the operator's choice
	case model.PolicyScope:
		return []string{"V2", "V1"}
	}
	return nil
}

func checkSetting(name string) ([]string, error) {
	if values := settingValues(name); values != nil {
		return values, nil
	}
	return nil, invalid("name", "Member must satisfy enum value set: [BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE]")
}

func (a *API) putAccountSetting(ctx context.Context, in *ecr.PutAccountSettingInput) (*ecr.PutAccountSettingOutput, error) {
	name, v := value(in.Name), value(in.Value)
	values, err := checkSetting(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(values, v) {
		return nil, invalid("value", "The account setting "+name+" has no such value")
	}
	_, err = a.changeRegistry(ctx, func(r *model.Registry) error {
		r.Settings = maps.Clone(r.Settings)
		if r.Settings == nil {
			r.Settings = map[string]string{}
		}
		r.Settings[name] = v
		return nil
	})
	return &ecr.PutAccountSettingOutput{Name: in.Name, Value: in.Value}, err
}

func (a *API) getAccountSetting(ctx context.Context, in *ecr.GetAccountSettingInput) (*ecr.GetAccountSettingOutput, error) {
	values, err := checkSetting(value(in.Name))
	if err != nil {
		return nil, err
	}
	row, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	v, ok := row.Settings[*in.Name]
	if !ok {
		v = values[0]
	}
	return &ecr.GetAccountSettingOutput{Name: in.Name, Value: aws.String(v)}, nil
}

func (a *API) describeRegistry(ctx context.Context, _ *ecr.DescribeRegistryInput) (*ecr.DescribeRegistryOutput, error) {
	row, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	return &ecr.DescribeRegistryOutput{RegistryId: aws.String(row.Account), ReplicationConfiguration: showReplication(row)}, nil
}
