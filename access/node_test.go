package access_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// A node writes the streams of the tasks that it runs, in their groups, and nobody else's.
func TestNodesWriteTheirTasksLogs(t *testing.T) {
	const last = "55555555555555555555555555555555"
	const mine, theirs, over, gone = "11111111111111111111111111111111", "22222222222222222222222222222222", "33333333333333333333333333333333", "44444444444444444444444444444444"
	s := model.Scope{Account: account, Region: "us-east-1"}
	logs := func(name string, options map[string]string) types.ContainerDefinition {
		return types.ContainerDefinition{Name: &name, LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: options}}
	}
	tables := tables(t, func(tx *state.Tx) {
		tx.Clusters.Put(&model.Cluster{Scope: s, Name: "other"})
		tx.Clusters.Put(&model.Cluster{Scope: s, Name: "c"})
		tx.Definitions.Put(&model.TaskDefinition{Scope: s, Family: "f", Revision: 1, Spec: types.TaskDefinition{ContainerDefinitions: []types.ContainerDefinition{
			logs("app", map[string]string{"awslogs-group": "/app", "awslogs-stream-prefix": "web"}),
			logs("plain", map[string]string{"awslogs-group": "/plain"}),
			logs("named", map[string]string{"awslogs-group": "/named", "awslogs-stream": "all", "awslogs-create-group": "True"}),
			{Name: aws.String("silent")},
		}}})
		for id, key := range map[string]string{"i1": "AKNODE1", "i2": "AKNODE2", "i4": "AKNODE4"} {
			tx.Instances.Put(&model.Instance{Scope: s, Cluster: "c", ID: id, NodeKey: key, Status: model.InstanceActive})
		}
		for id, instance := range map[string]string{mine: "i1", over: "i1", theirs: "i2", last: "i4"} {
			task := &model.Task{Launch: &model.Launch{Scope: s, Cluster: "c", Definition: "f:1"},
				ID: id, Instance: instance, Last: model.TaskRunning}
			if id == over || id == last {
				task.Last = model.TaskStopped
			}
			tx.Tasks.Put(task)
		}
	})
	node := func(key string) auth.Principal {
		return auth.NewPrincipal(model.AccessKey{ID: key, Account: account, Kind: model.KeyNode}, "us-east-1", "logs")
	}
	for _, c := range []struct {
		op, group, stream string
		ok                bool
	}{
		{"CreateLogStream", "/app", "web/app/" + mine, true}, {"PutLogEvents", "/app", "web/app/" + mine, true}, {"GetLogEvents", "/app", "web/app/" + mine, true},
		{"PutLogEvents", "/app", "web/app/" + over, true},
		{"PutLogEvents", "/app", "web/app/" + theirs, false}, {"GetLogEvents", "/app", "web/app/" + theirs, false},
		{"PutLogEvents", "/other", "web/app/" + mine, false},
		{"PutLogEvents", "/app", "web/plain/" + mine, false}, {"PutLogEvents", "/app", "api/app/" + mine, false}, {"PutLogEvents", "/app", "audit", false},
		{"PutLogEvents", "/plain", mine + "-plain", true}, {"PutLogEvents", "/plain", theirs + "-plain", false}, {"CreateLogStream", "/plain", mine + "-plain", true},
		{"PutLogEvents", "/named", "all", true}, {"PutLogEvents", "/named", "some", false},
		{"PutLogEvents", "/app", "web/app/" + gone, true}, {"CreateLogStream", "/app", "web/app/" + gone, false},
		{"CreateLogGroup", "/named", "", true}, {"CreateLogGroup", "/app", "", false}, {"CreateLogGroup", "/new", "", false},
	} {
		var in any
		switch c.op {
		case "CreateLogStream":
			in = &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &c.group, LogStreamName: &c.stream}
		case "PutLogEvents":
			in = &cloudwatchlogs.PutLogEventsInput{LogGroupName: &c.group, LogStreamName: &c.stream}
		case "GetLogEvents":
			in = &cloudwatchlogs.GetLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:" + account + ":log-group:" + c.group), LogStreamName: &c.stream}
		case "CreateLogGroup":
			in = &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &c.group}
		}
		err := new(access.Access).Authorize(tables, &access.Call{Principal: node("AKNODE1"), Service: "logs", Operation: c.op, Input: in, Now: now})
		if (err == nil) != c.ok || err != nil && model.ErrorCode(err) != "AccessDeniedException" {
			t.Errorf("%s %s %s: %v", c.op, c.group, c.stream, err)
		}
	}
	// Also in a stream with a name of its own, whose task is over.
	for key, ok := range map[string]bool{"AKNODE3": false, "AKNODE4": true} {
		err := new(access.Access).Authorize(tables, &access.Call{Principal: node(key), Service: "logs", Operation: "PutLogEvents",
			Input: &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("/named"), LogStreamName: aws.String("all")}, Now: now})
		if (err == nil) != ok {
			t.Errorf("%s: %v", key, err)
		}
	}
}
