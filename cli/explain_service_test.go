package cli

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/api/ecs"
)

// A service's story is one screen that says first what it waits for.
func TestPrintService(t *testing.T) {
	code := int32(3)
	s := &ecs.ServiceStory{ServiceArn: "arn:aws:ecs:us-east-1:0:service/c/web", Status: "ACTIVE", Scheduling: "REPLICA", Desired: 2, Running: 1, Pending: 1,
		Why: []string{"Not healthy yet: 1 task."}, NextLook: 1_000,
		Deployments: []ecs.DeploymentStory{{ID: "ecs-svc/7", Status: "PRIMARY", Rollout: "IN_PROGRESS", TaskDefinition: "web:2", Running: 1, Failed: 1, RetryAt: 2_000}},
		Failures: []ecs.TaskFailureStory{{TaskID: "t1", At: 500, Definition: "web:2", Why: "EssentialContainerExited: Essential container in task exited",
			Containers: []ecs.ContainerStory{{Name: "c", ExitCode: &code}}}},
		Messages: []ecs.Moment{{At: 0, What: "(service web) has started 2 tasks: (task t1) (task t2)."}}}
	var out strings.Builder
	if err := printService(&out, s); err != nil {
		t.Fatal(err)
	}
	const want = `web (REPLICA) is ACTIVE with 1 of 2 tasks running and 1 on their way.
  - Not healthy yet: 1 task.
The next thing to happen by itself is due at 1970-01-01 00:00:01.

DEPLOYMENT  STATUS   ROLLOUT      DEFINITION  RUNNING  PENDING  FAILED  NEXT TRY
7           PRIMARY  IN_PROGRESS  web:2       1        0        1       1970-01-01 00:00:02

TASK ENDED  AT                   DEFINITION  WHY
t1          1970-01-01 00:00:00  web:2       EssentialContainerExited: Essential container in task exited [c: exit code 3]

MESSAGE AT           
1970-01-01 00:00:00  (service web) has started 2 tasks: (task t1) (task t2).
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
	for ref, task := range map[string]bool{"web": false, "0123456789abcdef0123456789abcdef": true, "arn:aws:ecs:us-east-1:0:task/c/1": true, "arn:aws:ecs:us-east-1:0:service/c/web": false} {
		if isTask(ref) != task {
			t.Errorf("isTask(%s) is %v", ref, !task)
		}
	}
}
