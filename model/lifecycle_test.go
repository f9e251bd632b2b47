package model_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
)

// move is one thing that happens to a task.
type move func(model.Task, model.Millis) (model.Task, bool)

func delivered(t model.Task, _ model.Millis) (model.Task, bool) { return t.Delivered() }

func report(status string, cs ...model.ContainerReport) move {
	return func(t model.Task, now model.Millis) (model.Task, bool) {
		return t.Observe(model.Report{Status: status, Containers: cs}, now)
	}
}

// because is a report with the node's reason for the whole task.
func because(reason string, cs ...model.ContainerReport) move {
	return func(t model.Task, now model.Millis) (model.Task, bool) {
		return t.Observe(model.Report{Status: model.TaskStopped, Reason: reason, Containers: cs}, now)
	}
}

func interfaceIs(status string) move {
	return func(t model.Task, now model.Millis) (model.Task, bool) {
		return t.Observe(model.Report{Attachments: []model.Attachment{{ID: "eni", Status: status}}}, now)
	}
}

func userStop(t model.Task, now model.Millis) (model.Task, bool) {
	return t.Stop(model.StopUserInitiated, "Task stopped by user", now)
}

func lose(t model.Task, now model.Millis) (model.Task, bool) {
	return t.Lose("Host EC2 (instance i-1) terminated.", now)
}

func up(name string) model.ContainerReport {
	return model.ContainerReport{Name: name, Status: model.TaskRunning, RuntimeID: "rt-" + name}
}

func exit(name string, code int32) model.ContainerReport {
	return model.ContainerReport{Name: name, Status: model.TaskStopped, RuntimeID: "rt-" + name, Exited: true, ExitCode: code}
}

// made is a container that never ran and has an exit code nevertheless.
func made(name, reason string) model.ContainerReport {
	return model.ContainerReport{Name: name, Status: model.TaskStopped, Exited: true, ExitCode: 143, Reason: reason}
}

// failed is a container that never ran.
func failed(name, reason string) model.ContainerReport {
	return model.ContainerReport{Name: name, Status: model.TaskStopped, Reason: reason}
}

// bridge is a placed task with the essential container app and a sidecar that is not.
func bridge() model.Task {
	return model.Task{
		Launch:    &model.Launch{Scope: model.Scope{Account: "000000000000", Region: "us-east-1"}, Cluster: "default", Network: "bridge"},
		ID:        "t1",
		Instance:  "i1",
		Desired:   model.TaskRunning,
		Last:      model.TaskPending,
		Version:   1,
		CreatedAt: 1,
		Reserved:  model.Resources{CPU: 256, Memory: 512, PortsTCP: []int32{80}},
		Containers: []model.Container{
			{Name: "app", Status: model.TaskPending, Essential: true},
			{Name: "side", Status: model.TaskPending},
		},
	}
}

func sidecarFirst() model.Task {
	t := bridge()
	slices.Reverse(t.Containers)
	return t
}

func awsvpc() model.Task {
	t := bridge()
	t.Network, t.Last = "awsvpc", model.TaskProvisioning
	t.Attachments = []model.Attachment{{ID: "eni", Type: "ElasticNetworkInterface", Status: "PRECREATED"}}
	return t
}

func waiting() model.Task {
	t := awsvpc()
	t.Instance = ""
	return t
}

const (
	started = model.StopEssentialContainerExited + ": Essential container in task exited"
	byUser  = model.StopUserInitiated + ": Task stopped by user"
	noImage = "CannotPullContainerError: no such image"
)

// path is what a task goes through: lastStatus after each move, "=" if the move changed nothing.
type path struct {
	name  string
	task  model.Task
	moves []move
	path  string
	why   string // stopCode: stoppedReason
}

func (p path) walk(t *testing.T) {
	task := p.task
	var path []string
	for i, m := range p.moves {
		next, changed := m(task, model.Millis(1000*(i+1)))
		path = append(path, "=")
		if changed {
			path[i] = next.Last
		}
		task = next
	}
	why := ""
	if task.StopCode != "" {
		why = task.StopCode + ": " + task.StopReason
	}
	if got := strings.Join(path, " "); got != p.path || why != p.why {
		t.Errorf("got  %s\n     %s\nwant %s\n     %s", got, why, p.path, p.why)
	}
}

func TestLifecyclePaths(t *testing.T) {
	const oom = "OutOfMemoryError: Container killed due to memory usage"
	stop, run := model.TaskStopped, model.TaskRunning
	for _, c := range []path{
		{"§11.1 bridge, from the ack to its end", bridge(),
			[]move{delivered, report("PENDING", up("app")), report(run, up("app"), up("side")), report(run, exit("app", 0)), report(run, exit("side", 143)), report(stop, exit("app", 0), exit("side", 143))},
			"= ACTIVATING RUNNING STOPPING DEPROVISIONING STOPPED", started},
		{"§11.1 awsvpc is PROVISIONING until its node has it", awsvpc(),
			[]move{delivered, interfaceIs("ATTACHED"), report("PENDING", up("side")), report(run, up("app")), userStop, delivered, report(run, exit("app", 143), exit("side", 143)), report(stop)},
			"PENDING PENDING ACTIVATING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED", byUser},
		{"§11.1 awsvpc whose interface comes before the ack", awsvpc(),
			[]move{interfaceIs("ATTACHING"), interfaceIs("ATTACHED"), interfaceIs("ATTACHING"), delivered, report(run, up("app"), up("side"))},
			"PROVISIONING PENDING = = RUNNING", ""},
		{"§11.4 a container that is not essential may exit", bridge(),
			[]move{report(run, up("app"), up("side")), report(run, exit("side", 1)), report(run, exit("side", 1)), report(run)},
			"RUNNING RUNNING = =", ""},
		{"§11.4 an essential exit stops the task, though others run", bridge(),
			[]move{report(run, up("app"), up("side")), report(run, exit("app", 3))},
			"RUNNING STOPPING", started},
		{"§11.2 start failure carries the container's reason", bridge(),
			[]move{delivered, report("PENDING", failed("app", noImage)), report(stop, failed("app", noImage))},
			"= PENDING STOPPED", model.StopTaskFailedToStart + ": " + noImage},
		{"§11.2 start failure of the task itself carries the report's reason", bridge(),
			[]move{because("ResourceInitializationError: no network")},
			"STOPPED", model.StopTaskFailedToStart + ": ResourceInitializationError: no network"},
		{"§11.2 start failure without any reason", bridge(),
			[]move{report(stop)}, "STOPPED", model.StopTaskFailedToStart + ": Task failed to start"},
		{"§11.2 the essential container's reason explains, not its sidecar's", sidecarFirst(),
			[]move{report(stop, model.ContainerReport{Name: "side", Status: stop, Exited: true, ExitCode: 137, Reason: oom}, failed("app", noImage))},
			"STOPPED", model.StopTaskFailedToStart + ": " + noImage},
		{"§4.3 quick exit: RUNNING and STOPPED arrive together", bridge(),
			[]move{report(stop, up("app"), exit("app", 0))}, "STOPPED", started},
		{"§4.3 quick exit, told in two reports", bridge(),
			[]move{report(run, up("app"), exit("app", 0)), report(stop, exit("app", 0))}, "PENDING STOPPED", started},
		{"§4.2 out of memory is an exit, and the container says why", bridge(),
			[]move{report(run, up("app"), up("side")), report(stop, model.ContainerReport{Name: "app", Status: stop, Exited: true, ExitCode: 137, Reason: oom})},
			"RUNNING STOPPED", started},
		{"§2.5 StopTask of a task without a place ends it at once", waiting(),
			[]move{userStop, userStop, delivered, report(run, up("app"))}, "STOPPED = = =", byUser},
		{"§2.5 StopTask before delivery waits for the node", bridge(),
			[]move{userStop, userStop, delivered, report(stop)}, "PENDING = STOPPING STOPPED", byUser},
		{"§2.5 StopTask while pending: a late RUNNING does not bring it back", bridge(),
			[]move{delivered, userStop, report(run, up("app"), up("side")), delivered, report(stop, exit("app", 143), exit("side", 143))},
			"= PENDING PENDING STOPPING STOPPED", byUser},
		{"§2.5 StopTask while running", bridge(),
			[]move{report(run, up("app"), up("side")), userStop, delivered, delivered, report(stop, exit("app", 143), exit("side", 143))},
			"RUNNING DEACTIVATING STOPPING = STOPPED", byUser},
		{"§2.5 StopTask after the essential exit changes nothing", bridge(),
			[]move{report(run, up("app"), up("side")), report(run, exit("app", 3)), userStop, report(stop)},
			"RUNNING STOPPING = STOPPED", started},
		{"AGENT-PROTOCOL §1.1 repeats and steps back change nothing", bridge(),
			[]move{report(run, up("app"), up("side")), report(run, up("app"), up("side")), report("PENDING", up("app")), report(run, model.ContainerReport{Name: "app", Status: "PENDING"}), delivered},
			"RUNNING = = = =", ""},
		{"§11.1 reports of strangers change nothing", bridge(),
			[]move{report("PENDING", up("nobody")), report("PENDING", model.ContainerReport{Name: "app", Status: "BROKEN"}), interfaceIs("ATTACHED")},
			"= = =", ""},
		{"§8.9 a lost task that ran", bridge(),
			[]move{report(run, up("app"), up("side")), lose, lose, report(run, up("app"))},
			"RUNNING STOPPED = =", model.StopEssentialContainerExited + ": Host EC2 (instance i-1) terminated."},
		{"§8.9 a lost task that never ran", bridge(),
			[]move{lose}, "STOPPED", model.StopTaskFailedToStart + ": Host EC2 (instance i-1) terminated."},
		{"§8.9 a lost task that was being stopped keeps its reason", bridge(),
			[]move{userStop, lose}, "PENDING STOPPED", byUser},
	} {
		t.Run(c.name, c.walk)
	}
}

// A container whose dependency failed, or whose process could not be started, has an exit code that is made up.
func TestFailuresToStartWithAnExitCode(t *testing.T) {
	const noDependency = "TaskDependencyError: dependency side did not exit successfully"
	stop := model.TaskStopped
	for _, c := range []path{
		{"§11.2 [O] a failed dependency is a failure to start, whatever the exit code says", sidecarFirst(),
			[]move{report("PENDING", up("side"), exit("side", 1)), report("PENDING", exit("side", 1), made("app", noDependency)), report(stop, made("app", noDependency))},
			"ACTIVATING DEPROVISIONING STOPPED", model.StopTaskFailedToStart + ": Task failed to start"},
		{"§11.2 [O] a failed dependency, as the original agent says it", sidecarFirst(),
			[]move{report(stop, up("side"), exit("side", 1), made("app", "CannotStartContainerError: dependency graph: failed"))},
			"STOPPED", model.StopTaskFailedToStart + ": Task failed to start"},
		{"§11.2 a dependency that failed to start explains it", sidecarFirst(),
			[]move{report(stop, failed("side", noImage), made("app", noDependency))},
			"STOPPED", model.StopTaskFailedToStart + ": " + noImage},
		{"§11.2 an exit code of a process that could not be started is none", bridge(),
			[]move{report(stop, made("app", "CannotStartContainerError: no such file"))},
			"STOPPED", model.StopTaskFailedToStart + ": CannotStartContainerError: no such file"},
	} {
		t.Run(c.name, c.walk)
	}
}

// Times are those of the first report that implies them (SEMANTICS §11.1).
func TestLifecycleTimes(t *testing.T) {
	for _, c := range []struct {
		name  string
		moves []move // at 1000, 2000, ...
		want  model.Task
	}{
		{"told to stop", []move{report("RUNNING", up("app")), report("RUNNING", up("app")), userStop, report("STOPPED", exit("app", 0))},
			model.Task{StartedAt: 1000, ConnectivityAt: 1000, StoppingAt: 3000, ExecutionStoppedAt: 4000, StoppedAt: 4000}},
		{"exited", []move{report("RUNNING", up("app")), report("RUNNING", exit("app", 0)), report("STOPPED")},
			model.Task{StartedAt: 1000, ConnectivityAt: 1000, StoppingAt: 2000, ExecutionStoppedAt: 2000, StoppedAt: 3000}},
		{"quick exit: it did start", []move{report("STOPPED", up("app"), exit("app", 0))},
			model.Task{StartedAt: 1000, StoppingAt: 1000, ExecutionStoppedAt: 1000, StoppedAt: 1000}},
		{"never started", []move{report("STOPPED", failed("app", "x"))},
			model.Task{StoppingAt: 1000, StoppedAt: 1000}},
		{"lost", []move{report("RUNNING", up("app")), lose},
			model.Task{StartedAt: 1000, ConnectivityAt: 1000, StoppingAt: 2000, ExecutionStoppedAt: 2000, StoppedAt: 2000}},
		{"the node's own times win", []move{func(t model.Task, now model.Millis) (model.Task, bool) {
			return t.Observe(model.Report{Status: "STOPPED", PullStartedAt: 10, PullStoppedAt: 20, ExecutionStoppedAt: 500,
				Containers: []model.ContainerReport{exit("app", 0)}}, now)
		}}, model.Task{PullStartedAt: 10, PullStoppedAt: 20, StartedAt: 500, StoppingAt: 1000, ExecutionStoppedAt: 500, StoppedAt: 1000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := bridge()
			for i, m := range c.moves {
				task, _ = m(task, model.Millis(1000*(i+1)))
			}
			got := model.Task{PullStartedAt: task.PullStartedAt, PullStoppedAt: task.PullStoppedAt, StartedAt: task.StartedAt,
				ConnectivityAt: task.ConnectivityAt, StoppingAt: task.StoppingAt, ExecutionStoppedAt: task.ExecutionStoppedAt, StoppedAt: task.StoppedAt}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("times\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// What a report says of a container is kept: the first of what cannot change, the newest of what can.
func TestContainerFacts(t *testing.T) {
	bound := []model.PortBinding{{BindIP: "0.0.0.0", ContainerPort: 80, HostPort: 32768, Protocol: "tcp"}}
	task, _ := bridge().Observe(model.Report{Status: "RUNNING", Containers: []model.ContainerReport{
		{Name: "app", Status: "RUNNING", RuntimeID: "one", Digest: "sha256:1", Bindings: bound}, up("side")}}, 1)
	bound[0].HostPort = 1 // the report is the caller's own
	task, _ = task.Observe(model.Report{Status: "STOPPED", Containers: []model.ContainerReport{
		{Name: "app", Status: "STOPPED", RuntimeID: "two", Exited: true, ExitCode: 3, Reason: "first"}}}, 2)
	want := model.Container{Name: "app", Status: "STOPPED", Essential: true, RuntimeID: "one", Digest: "sha256:1", Exited: true, ExitCode: 3,
		Reason: "first", Bindings: []model.PortBinding{{BindIP: "0.0.0.0", ContainerPort: 80, HostPort: 32768, Protocol: "tcp"}}}
	if got := task.Containers[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("app\n got %+v\nwant %+v", got, want)
	}
	if got := task.Containers[1]; got.Status != "STOPPED" || got.Exited {
		t.Errorf("side, of whose exit nobody knows: %+v", got)
	}
}

// SEMANTICS §7: only the health check of an essential container is the task's [D].
func TestHealthChecked(t *testing.T) {
	task := model.Task{Containers: []model.Container{{Name: "app", Essential: true}, {Name: "side", Health: "HEALTHY"}}}
	if task.HealthChecked() {
		t.Error("a task is checked because a container is that is not essential")
	}
	task.Containers[0].Health = "UNKNOWN"
	if !task.HealthChecked() {
		t.Error("a task is not checked though its essential container is")
	}
}

// SEMANTICS §7: the worst of the essential containers, UNHEALTHY before UNKNOWN before HEALTHY; others do not count.
func TestObserveHealth(t *testing.T) {
	task := bridge()
	task.Containers = append(task.Containers, model.Container{Name: "db", Essential: true, Status: model.TaskPending})
	type health = map[string]string
	for _, c := range []struct {
		rule    string
		said    health
		want    string
		changed bool
	}{
		{"no check, no health", health{}, "", false},
		{"UNKNOWN at first", health{"app": "UNKNOWN"}, "UNKNOWN", true},
		{"containers without a check do not count", health{"app": "HEALTHY"}, "HEALTHY", true},
		{"again", health{"app": "HEALTHY"}, "HEALTHY", false},
		{"UNKNOWN is worse than HEALTHY", health{"db": "UNKNOWN"}, "UNKNOWN", true},
		{"UNHEALTHY is the worst", health{"app": "UNHEALTHY", "db": "HEALTHY"}, "UNHEALTHY", true},
		{"a sidecar's does not count, but is seen", health{"app": "HEALTHY", "side": "UNHEALTHY"}, "HEALTHY", true},
		{"strangers are ignored", health{"nobody": "UNHEALTHY"}, "HEALTHY", false},
		{"no such status", health{"app": "FINE"}, "HEALTHY", false},
		{"a status is not taken back", health{"app": ""}, "HEALTHY", false},
	} {
		before := task
		next, changed := task.ObserveHealth(c.said, 7)
		if next.Health != c.want || changed != c.changed {
			t.Errorf("%s: got %q, changed %v; want %q, %v", c.rule, next.Health, changed, c.want, c.changed)
		}
		if grown := next.Version - before.Version; grown != 0 && !changed || changed && grown != 1 {
			t.Errorf("%s: version grew by %d", c.rule, grown)
		}
		task = next
	}
	task, _ = task.Observe(model.Report{Status: "STOPPED"}, 1)
	if _, changed := task.ObserveHealth(health{"app": "UNHEALTHY"}, 7); changed {
		t.Error("the health of a stopped task changed")
	}
}
