package policy_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/policy"
)

// [I] Members by their path: what is not set has no value, and what stands in a list has several.
func TestValues(t *testing.T) {
	in := &ecs.RunTaskInput{
		Overrides: &types.TaskOverride{TaskRoleArn: aws.String("role/t"), ExecutionRoleArn: aws.String("")},
		Tags:      []types.Tag{{Key: aws.String("a")}},
		VolumeConfigurations: []types.TaskVolumeConfiguration{
			{ManagedEBSVolume: &types.TaskManagedEBSVolumeConfiguration{RoleArn: aws.String("role/a")}}, {},
			{ManagedEBSVolume: &types.TaskManagedEBSVolumeConfiguration{RoleArn: aws.String("role/b")}},
		},
	}
	for path, want := range map[string][]string{
		"overrides.taskRoleArn": {"role/t"}, "overrides.executionRoleArn": nil, "taskDefinition": nil, "nothing": nil, "overrides.nothing.more": nil,
		"volumeConfigurations[].managedEBSVolume.roleArn": {"role/a", "role/b"}, "volumeConfigurations.managedEBSVolume.roleArn": nil, "overrides[].taskRoleArn": nil, "tags": nil,
	} {
		if got := policy.Values(in, path); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]bool{"tags": true, "overrides": true, "overrides.executionRoleArn": false, "networkConfiguration": false, "volumeConfigurations": true, "capacityProviderStrategy": false, "nothing": false} {
		if got := policy.Given(in, path); got != want {
			t.Errorf("%s given: %v", path, got)
		}
	}
	if policy.Given(nil, "tags") || policy.Values((*ecs.RunTaskInput)(nil), "cluster") != nil {
		t.Error("something out of nothing")
	}
}
