package definition_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
)

// [D] executeCommandConfiguration: NONE, DEFAULT, which is what counts if nothing is said, and OVERRIDE.
func TestExecLog(t *testing.T) {
	def := func(role, driver string) *types.TaskDefinition {
		return &types.TaskDefinition{TaskRoleArn: &role, ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("side")}, {
			Name: aws.String("app"), LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriver(driver), Options: map[string]string{"awslogs-group": "/own"}},
		}}}
	}
	conf := func(logging types.ExecuteCommandLogging, l *types.ExecuteCommandLogConfiguration) types.ExecuteCommandConfiguration {
		return types.ExecuteCommandConfiguration{Logging: logging, LogConfiguration: l}
	}
	override := conf("OVERRIDE", &types.ExecuteCommandLogConfiguration{
		CloudWatchLogGroupName: aws.String("/audit"), CloudWatchEncryptionEnabled: true, S3BucketName: aws.String("b"), S3KeyPrefix: aws.String("p"), S3EncryptionEnabled: true,
	})
	own := &acs.ExecLog{Group: "/own"}
	for name, c := range map[string]struct {
		conf      types.ExecuteCommandConfiguration
		def       *types.TaskDefinition
		container string
		want      *acs.ExecLog
	}{
		"nothing said":           {types.ExecuteCommandConfiguration{}, def("r", "awslogs"), "app", own},
		"no logging said":        {conf("", nil), def("r", "awslogs"), "app", own},
		"DEFAULT":                {conf("DEFAULT", nil), def("r", "awslogs"), "app", own},
		"DEFAULT, other driver":  {conf("DEFAULT", nil), def("r", "json-file"), "app", nil},
		"DEFAULT, no driver":     {conf("DEFAULT", nil), def("r", "awslogs"), "side", nil},
		"DEFAULT, no role [I]":   {conf("DEFAULT", nil), def("", "awslogs"), "app", nil},
		"NONE":                   {conf("NONE", nil), def("r", "awslogs"), "app", nil},
		"OVERRIDE":               {override, def("r", "awslogs"), "app", &acs.ExecLog{Group: "/audit", GroupEncrypted: true, Bucket: "b", Prefix: "p", BucketEncrypted: true}},
		"OVERRIDE, no role [I]":  {override, def("", "json-file"), "side", &acs.ExecLog{Group: "/audit", GroupEncrypted: true, Bucket: "b", Prefix: "p", BucketEncrypted: true}},
		"OVERRIDE, of old: none": {conf("OVERRIDE", nil), def("r", "awslogs"), "app", nil},
	} {
		got := definition.ExecLog(c.conf, c.def, c.container)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
