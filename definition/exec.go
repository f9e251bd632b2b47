package definition

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
)

// ExecLog is where what a session with a command in a container shows is to be when it is over, nil for nowhere: as the cluster's
// configuration says, and by default in the container's own log group (SEMANTICS §13.8) [D]. It is put there with the
// rights of the task's role: of a task without one, what nobody has asked for in so many words is not recorded [I].
func ExecLog(c types.ExecuteCommandConfiguration, def *types.TaskDefinition, container string) *acs.ExecLog {
	switch l := c.LogConfiguration; {
	case c.Logging == types.ExecuteCommandLoggingNone, c.Logging == types.ExecuteCommandLoggingOverride && l == nil:
		return nil
	case c.Logging == types.ExecuteCommandLoggingOverride:
		return &acs.ExecLog{
			Group: deref(l.CloudWatchLogGroupName), GroupEncrypted: l.CloudWatchEncryptionEnabled,
			Bucket: deref(l.S3BucketName), Prefix: deref(l.S3KeyPrefix), BucketEncrypted: l.S3EncryptionEnabled,
		}
	}
	if deref(def.TaskRoleArn) == "" {
		return nil
	}
	for i := range def.ContainerDefinitions {
		d := &def.ContainerDefinitions[i]
		if l := d.LogConfiguration; deref(d.Name) == container && l != nil && l.LogDriver == types.LogDriverAwslogs {
			return &acs.ExecLog{Group: l.Options["awslogs-group"]}
		}
	}
	return nil
}
