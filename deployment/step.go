package deployment

import "github.com/roadstead/roadstead/model"

// Input is a service as it is at a moment. Nothing in it is changed.
type Input struct {
	Now     model.Millis
	Service *model.Service
	// Limit is how many tasks are changed at most when the answer is carried out, 0 for any number: a service with more to stop
	// is not steady yet.
	Limit int
	// Deployments are all of the service's, the oldest first; of a service with another controller than ECS there are none,
	// and TaskSets instead.
	Deployments []*model.Deployment
	TaskSets    []*model.TaskSet
	// Tasks are those of the service that are not STOPPED, of any deployment, and those whose end it has not taken note of, the
	// oldest first.
	Tasks []Task
	// Instances are the ids of those that a DAEMON service runs on, in their order, by deployment: each has its own task
	// definition, and so its own constraints. Only those of the PRIMARY one are asked for. If it is absent, nobody knows, and
	// nothing is started or stopped; an empty list is something else.
	Instances map[string][]string
	// Zones are the availability zones in which the PRIMARY deployment's tasks can be placed, sorted: what rebalancing balances.
	Zones []string
	// MoveAt is when rebalancing may be tried again after a task found no place in the zone where it was wanted (SEMANTICS §8.10),
	// 0 if none did lately.
	MoveAt model.Millis
	// Alarms are the names of the alarms that are in ALARM. AlarmBake is the bake time that the periods of the service's alarms
	// ask for if its configuration says none, in milliseconds (SEMANTICS §8.7).
	Alarms    []string
	AlarmBake model.Millis
}

// Task is a task of the service with what others know of it.
type Task struct {
	*model.Task
	// Leaving: its instance is DRAINING, so that it has to be replaced.
	Leaving bool
	// Targets is the task's worst health in its target groups and registries: "" if it is in none, "healthy", "unhealthy", or
	// anything else: not known yet. TargetReason is the stoppedReason of one that is replaced for being unhealthy there.
	Targets      string
	TargetReason string
}

// Output is what is to be done. Rows are copies, changed; those that stay as they are are absent.
type Output struct {
	Service     *model.Service // nil if it stays as it is
	Deployments []*model.Deployment
	TaskSets    []*model.TaskSet
	// Gone are rows to be deleted: task sets that were DRAINING and have no task left.
	Gone []*model.TaskSet
	// Counted are tasks whose end the service has taken note of: their rows get Counted, and are of no concern any more.
	Counted []*model.Task
	Starts  []Start
	Stops   []Stop
	// Said are messages for the service's events[] besides those about starts and stops, which need the tasks' ids.
	Said []Said
	// Happened is for EventBridge.
	Happened []Happening
	// Weights is what the load balancers of the deployment are to be set to; nil if they are right (SEMANTICS §9).
	Weights *Weights
	// Wake is when Step wants to be asked again though nothing has changed, 0 for never.
	Wake model.Millis
	// Why says, in sentences for an operator, what keeps the service from its steady state: what it waits for, and which bound
	// is in the way. Empty if it is steady.
	Why []string
}

// Start asks for new tasks of a revision.
type Start struct {
	Revision string // id of the deployment or task set
	Count    int
	// Instances are those for a DAEMON's tasks, one each; empty if placement chooses.
	Instances []string
	// Zone is the only one allowed, "" if any (SEMANTICS §8.10).
	Zone string
	// Replaced is how many of the tasks replace unhealthy ones, for the message.
	Replaced int
	// Rebalances: the message says so.
	Rebalances bool
}

// Stop asks for Count of the tasks to be stopped, which of them scheduler.ChooseStops says. None of them is protected, unless
// the service goes away; no task is in two Stops.
type Stop struct {
	Tasks  []*model.Task
	Count  int
	Reason string // stoppedReason; the stopCode is ServiceSchedulerInitiated
	// Rebalances: the message names the zone.
	Rebalances bool
}

// Said is a message of the service's events[] (SEMANTICS §14.1).
type Said struct {
	Text string
	// Once: it is not said again within six hours unless something else was said since.
	Once bool
	// With happens if this is said, and only then; nil for nothing.
	With *Happening
}

// Happening is an event of source aws.ecs about the service (SEMANTICS §14.2).
type Happening struct {
	Type       string // INFO, WARN or ERROR
	Name       string // SERVICE_STEADY_STATE ...
	Deployment string // id, for an ECS Deployment or Hook State Change; "" for an ECS Service Action
	Reason     string
	Instances  []string // container instance ids concerned
	Providers  []string // ARNs of capacity providers concerned
	// Hook is that of an ECS Hook State Change, as it is now, and Stage the one it belongs to; nil otherwise.
	Hook  *model.Hook
	Stage string
}

// Weights are the percentages of traffic that the revision gets; the one before it gets the rest.
type Weights struct {
	Deployment       string // id
	Test, Production float64
}
