package model_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
)

var (
	statuses = []string{model.TaskProvisioning, model.TaskPending, model.TaskActivating, model.TaskRunning,
		model.TaskDeactivating, model.TaskStopping, model.TaskDeprovisioning, model.TaskStopped}
	attached = []string{"PRECREATED", "CREATED", "ATTACHING", "ATTACHED", "DETACHING", "DETACHED", "DELETED"}
)

func drawTask(t *rapid.T) model.Task {
	task := rapid.SampledFrom([]func() model.Task{bridge, awsvpc, waiting}).Draw(t, "task")()
	for range rapid.IntRange(0, 2).Draw(t, "more containers") {
		task.Containers = append(task.Containers, model.Container{Name: rapid.StringN(1, 3, 3).Draw(t, "name"),
			Status: model.TaskPending, Essential: rapid.Bool().Draw(t, "essential")})
	}
	return task
}

func drawReport(t *rapid.T) model.Report {
	r := model.Report{
		Status:        rapid.SampledFrom([]string{"", "PENDING", "RUNNING", "STOPPED", "NONSENSE"}).Draw(t, "status"),
		Reason:        rapid.SampledFrom([]string{"", "why"}).Draw(t, "reason"),
		PullStartedAt: rapid.Int64Range(0, 3).Draw(t, "pull"), ExecutionStoppedAt: rapid.Int64Range(0, 3).Draw(t, "stopped"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "containers") {
		c := model.ContainerReport{
			Name:   rapid.SampledFrom([]string{"app", "side", "nobody"}).Draw(t, "name"),
			Status: rapid.SampledFrom([]string{"PENDING", "RUNNING", "STOPPED", "NONSENSE"}).Draw(t, "container"),
			Reason: rapid.SampledFrom([]string{"", "broken"}).Draw(t, "reason"), RuntimeID: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "id"),
			Exited: rapid.Bool().Draw(t, "exited"), ExitCode: rapid.Int32Range(0, 2).Draw(t, "code"),
		}
		if rapid.Bool().Draw(t, "bound") {
			c.Bindings = []model.PortBinding{{ContainerPort: 80, HostPort: rapid.Int32Range(1, 2).Draw(t, "port")}}
		}
		r.Containers = append(r.Containers, c)
	}
	for range rapid.IntRange(0, 1).Draw(t, "attachments") {
		r.Attachments = append(r.Attachments, model.Attachment{ID: "eni", Status: rapid.SampledFrom(attached).Draw(t, "eni")})
	}
	return r
}

func drawMove(t *rapid.T) move {
	switch rapid.IntRange(0, 9).Draw(t, "move") {
	case 0:
		return userStop
	case 1:
		return lose
	case 2:
		return delivered
	case 3:
		h := rapid.SampledFrom([]string{"", "HEALTHY", "UNHEALTHY", "UNKNOWN", "NONSENSE"}).Draw(t, "health")
		return func(t model.Task, now model.Millis) (model.Task, bool) {
			return t.ObserveHealth(map[string]string{"app": h}, now)
		}
	}
	r := drawReport(t)
	return func(t model.Task, now model.Millis) (model.Task, bool) { return t.Observe(r, now) }
}

// clone copies everything that a move could reach.
func clone(t model.Task) model.Task {
	t.Containers, t.Attachments = slices.Clone(t.Containers), slices.Clone(t.Attachments)
	for i := range t.Containers {
		t.Containers[i].Bindings = slices.Clone(t.Containers[i].Bindings)
	}
	t.Reserved.PortsTCP = slices.Clone(t.Reserved.PortsTCP)
	t = t.Relaunched(func(l *model.Launch) { l.Subnets = slices.Clone(l.Subnets) })
	return t
}

// Whatever happens in whatever order, a task only goes forward (SEMANTICS §11.1).
func TestLifecycleInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		task := drawTask(t)
		reserved := clone(task).Reserved
		for now := model.Millis(1); now < 12; now++ {
			before := clone(task)
			next, changed := drawMove(t)(task, now)
			if !reflect.DeepEqual(task, before) {
				t.Fatalf("the row that was handed in changed\n got %+v\nwant %+v", task, before)
			}
			checkMove(t, &before, &next, changed)
			if !reflect.DeepEqual(next.Reserved, reserved) {
				t.Fatalf("reserved %+v, at first %+v", next.Reserved, reserved)
			}
			task = next
		}
	})
}

func checkMove(t *rapid.T, before, next *model.Task, changed bool) {
	was, is := slices.Index(statuses, before.Last), slices.Index(statuses, next.Last)
	switch {
	case is < was:
		t.Fatalf("lastStatus went from %s to %s", before.Last, next.Last)
	case before.Last == model.TaskStopped && changed:
		t.Fatal("a stopped task changed")
	case before.Desired == model.TaskStopped && next.Desired != model.TaskStopped:
		t.Fatal("a task that was to be stopped is wanted again")
	case next.Last == model.TaskStopped && (next.StopCode == "" || next.StoppedAt == 0 || next.Desired != model.TaskStopped):
		t.Fatalf("stopped without saying why or when: %+v", next)
	case before.StopCode != "" && (next.StopCode != before.StopCode || next.StopReason != before.StopReason):
		t.Fatalf("the reason of a stop changed from %s to %s", before.StopReason, next.StopReason)
	case changed && next.Version != before.Version+1:
		t.Fatalf("version went from %d to %d in one visible change", before.Version, next.Version)
	case !changed && !reflect.DeepEqual(next, before):
		t.Fatalf("said to be unchanged, but\n got %+v\nfrom %+v", next, before)
	}
	sameButVersion := *next
	sameButVersion.Version = before.Version
	if changed && reflect.DeepEqual(&sameButVersion, before) {
		t.Fatalf("said to be changed, but is not: %+v", next)
	}
	for i := range next.Containers {
		if before.Containers[i].Status == model.TaskStopped && next.Containers[i].Status != model.TaskStopped {
			t.Fatalf("container %s came back", next.Containers[i].Name)
		}
	}
}

// Tasks of one launch share it: whatever becomes of one, the others stay as they are.
func TestTasksOfALaunchDoNotTouchEachOther(t *testing.T) {
	ids := func() string { return "00000000000000000000000000000000" }
	on := &model.Instance{ID: "i2", Cluster: "pool", Attributes: []model.Attribute{{Name: "ecs.availability-zone", Value: "us-east-1b", HasValue: true}}}
	rapid.Check(t, func(t *rapid.T) {
		first := drawTask(t)
		task, other := first.Copy(1, ids, ids), first.Copy(1, ids, ids)
		before := clone(other)
		for now := model.Millis(1); now < 8; now++ {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				task = task.Settle(on, []string{"gpu"}, "10.0.0.2", "subnet-1")
			case 1:
				task = task.Relaunched(func(l *model.Launch) { l.Group, l.CapacityProvider, l.Overrides = "g", "p", &types.TaskOverride{} })
			default:
				task, _ = drawMove(t)(task, now)
			}
			if !reflect.DeepEqual(other, before) {
				t.Fatalf("another task changed\n got %+v\nwant %+v", other, before)
			}
		}
	})
}

// A report may be sent as often as an agent likes: the second time it changes nothing.
func TestReportsAreIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		task := drawTask(t)
		for now := model.Millis(1); now < 5; now++ {
			r := drawReport(t)
			task, _ = task.Observe(r, now)
			if again, changed := task.Observe(r, now+100); changed {
				t.Fatalf("repeating %+v\n got %+v\nfrom %+v", r, again, task)
			}
		}
	})
}

// A report changes a task exactly when it leaves something different, whatever that is.
func TestWhatIsSeenCounts(t *testing.T) {
	counted := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		task := drawTask(t)
		for range rapid.IntRange(0, 3).Draw(t, "before") {
			task, _ = drawMove(t)(task, 5)
		}
		r := drawReport(t)
		r.PullStoppedAt = rapid.Int64Range(0, 3).Draw(t, "pulled")
		for i := range r.Containers {
			r.Containers[i].Digest = rapid.SampledFrom([]string{"", "sha256:1"}).Draw(t, "digest")
		}
		for i := range r.Attachments {
			r.Attachments[i].Details = rapid.SampledFrom([][]model.Tag{nil, {{Key: "k", Value: "v"}}}).Draw(t, "details")
		}
		if rapid.Bool().Draw(t, "only") { // one fact alone
			r = rapid.SampledFrom([]model.Report{{PullStartedAt: 1}, {PullStoppedAt: 1}, {ExecutionStoppedAt: 1}, {Containers: r.Containers}, {Attachments: r.Attachments}, {Status: r.Status}}).Draw(t, "fact")
		}
		next, changed := task.Observe(r, 9)
		next.Version = task.Version
		counted[changed]++
		if same := reflect.DeepEqual(next, task); same == changed {
			t.Fatalf("changed is %v\nbefore %+v\nafter  %+v", changed, task, next)
		}
	})
	if counted[true] == 0 || counted[false] == 0 {
		t.Errorf("cases with and without a change: %v", counted)
	}
}
