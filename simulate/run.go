package simulate

import (
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// perCall is how many tasks RunTask starts at most.
const perCall = 10

// wanted are copies that have no place yet.
type wanted struct {
	*order
	occasion *occasion
	jobs     []*job
	try      int
	why      string // the last answer, told already
}

// runTasks asks for what an event asks for.
func (w *world) runTasks(o *occasion, a *order) {
	n := &wanted{order: a, occasion: o, jobs: w.newJobs(o, a.kind, a.count)}
	w.sums.homeless.add(w.now, int64(a.count))
	w.ask(n)
}

// ask asks for the copies that have no place, and tells what came of it.
func (w *world) ask(n *wanted) {
	n.try++
	placed, why, led := map[*node]int{}, "", true
	for call := 0; len(n.jobs) > 0; call++ {
		w.tie = mix(n.occasion.draw(n.try).Uint64(), uint64(call))
		out, err := invoke[sdk.RunTaskOutput](w, "RunTask", n.input(w.subnets))
		if led = !notLeading(err); err != nil {
			why = err.Error()
			break
		}
		for i := range out.Tasks {
			w.bind(n.jobs[i], &out.Tasks[i], placed)
		}
		n.jobs = n.jobs[len(out.Tasks):]
		if len(out.Failures) > 0 {
			why = w.explain(out.Failures)
		}
		if len(out.Tasks) == 0 { // nor would the rest find a place now
			break
		}
	}
	if !led {
		why = "there is no leader"
	}
	w.tellAsked(n, placed, why, led)
	switch {
	case len(n.jobs) == 0:
	case !led:
		w.whenLed(func() { w.ask(n) })
	case n.retry > 0:
		w.after(n.retry, func() { w.ask(n) })
	default:
		w.sums.refused += len(n.jobs)
		w.sums.homeless.add(w.now, -int64(len(n.jobs)))
		n.jobs = nil
	}
}

// input asks for as many copies as one call may.
func (n *wanted) input(subnets []string) *sdk.RunTaskInput {
	in := &sdk.RunTaskInput{
		TaskDefinition: &n.kind.Name, Cluster: &n.cluster, Count: new(int32(min(perCall, len(n.jobs)))), StartedBy: new("simulate"),
		LaunchType: n.launch, CapacityProviderStrategy: n.providers, PlacementConstraints: n.constraints, PlacementStrategy: n.strategy,
	}
	if n.group != "" {
		in.Group = &n.group
	}
	if n.kind.Network == "awsvpc" {
		in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: subnets}}
	}
	return in
}

// bind makes the row the job's.
func (w *world) bind(j *job, t *types.Task, placed map[*node]int) {
	arn := *t.TaskArn
	_, path, _ := strings.Cut(arn, "/")
	cluster, id, _ := strings.Cut(path, "/")
	j.key = model.TaskKey(home(), cluster, id)
	w.jobs[j.key] = j
	row, ok := w.db.Snapshot().Tasks.Get(j.key)
	if !ok {
		w.violate("%s was started as %s, which has no row", j.name, arn)
		return
	}
	placed[w.node[row.InstanceKey()]]++ // nil: it waits
}
