package deploy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/scenario"
)

// play is a scenario on its way. Tasks are called t1, t2 ... in the order in which they were made.
type play struct {
	*world
	names    map[string]string // of tasks and deployments, by id
	tasks    int
	messages int
	events   int
}

// TestScenarios plays testdata/*.txt:
//
//	definition F:1 [cpu=0] [mem=64] [image=web] [health=no] [where=EXPRESSION] [network=bridge]
//	instance ID [cpu=1024] [mem=2048] [az=a] [pool=] [status=ACTIVE] [agent=on] [x=VALUE] [fargate=no]
//	service NAME [desired=1] [of=f:1] [daemon=no] [min=] [max=] [strategy=a:BASE:WEIGHT,...] [launch=EC2] [tags=no] [subnets=] [breaker=no]
//	deploy NAME of=f:2            another deployment
//	taskset NAME [of=f:1] [scale=100] [status=ACTIVE]    a task set of a service with external=yes
//	desired NAME N | delete NAME
//	run [NAME] [digest=]          tasks that are wanted come to RUNNING, others stop
//	exit TASK | broken TASK | lose TASK | health TASK VALUE | stop TASK   what happens to one task
//	limit N | waiting N           of the loop
//	advance 30s                   time passes
//	term                          another leader
//	tasks [NAME] | events | deployments NAME
//
// Each verb is followed by what the loop has said and done.
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(t *testing.T) scenario.Verbs {
		p := &play{world: newWorld(t), names: map[string]string{}}
		verbs := scenario.Verbs{
			"taskset": p.taskSetVerb, "sets": p.setsVerb,
			"definition": p.definitionVerb, "instance": p.instanceVerb, "service": p.serviceVerb, "deploy": p.deployVerb,
			"desired": func(c *scenario.Call) {
				p.change(c.Arg(), func(_ *state.Tx, s *model.Service) { s.Desired = int32(c.Int("n", 0)) })
			},
			"delete": func(c *scenario.Call) {
				p.change(c.Arg(), func(_ *state.Tx, s *model.Service) { s.Status, s.Desired = model.ServiceDraining, 0 })
			},
			"run":     func(c *scenario.Call) { p.run(p.world.tasks(c.Arg()), c.Text("digest", "")) },
			"limit":   func(c *scenario.Call) { p.loop.Limit = int(c.Int("n", 0)) },
			"waiting": func(c *scenario.Call) { p.loop.Waiting = int(c.Int("n", 0)) },
			"advance": func(c *scenario.Call) { p.advance(c.Duration()) },
			"term":    func(*scenario.Call) { p.begin() },
			"tasks":   p.tasksVerb, "events": p.eventsVerb, "deployments": p.deploymentsVerb,
			"exit": p.taskVerb(func(t *model.Task) model.Task {
				row, _ := t.Observe(model.Report{Status: "STOPPED", Containers: []model.ContainerReport{{Name: "app", Status: "STOPPED", Exited: true, ExitCode: 1}}}, p.now.UnixMilli())
				return row
			}),
			"broken": p.taskVerb(func(t *model.Task) model.Task {
				row, _ := t.Observe(model.Report{Status: "STOPPED", Reason: "CannotPullContainerError: no such image"}, p.now.UnixMilli())
				return row
			}),
			"lose": p.taskVerb(func(t *model.Task) model.Task {
				row, _ := t.Lose("Host EC2 (instance i-1) terminated.", p.now.UnixMilli())
				return row
			}),
			"healthy": p.taskVerb(func(t *model.Task) model.Task {
				row, _ := t.ObserveHealth(map[string]string{"app": "HEALTHY"}, p.now.UnixMilli())
				return row
			}),
			"sick": p.taskVerb(func(t *model.Task) model.Task {
				row, _ := t.ObserveHealth(map[string]string{"app": "UNHEALTHY"}, p.now.UnixMilli())
				return row
			}),
		}
		for name, verb := range verbs {
			verbs[name] = func(c *scenario.Call) {
				verb(c)
				p.pump()
				p.tell(c)
				p.calm()
			}
		}
		return verbs
	})
}

func (p *play) definitionVerb(c *scenario.Call) {
	family, number, _ := strings.Cut(c.Arg(), ":")
	app := types.ContainerDefinition{Name: aws.String("app"), Image: aws.String(c.Text("image", "web")), Cpu: int32(c.Int("cpu", 0)), Memory: aws.Int32(int32(c.Int("mem", 64)))}
	if c.Text("health", "no") == "yes" {
		app.HealthCheck = &types.HealthCheck{}
	}
	if c.Text("pinned", "yes") == "no" {
		app.VersionConsistency = types.VersionConsistencyDisabled
	}
	if port := c.Int("port", 0); port > 0 {
		app.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(int32(port)), HostPort: aws.Int32(int32(port))}}
	}
	d := &model.TaskDefinition{Scope: scope, Family: family, Revision: int32(number[0] - '0'), Status: model.DefinitionActive, Tags: []model.Tag{{Key: "from", Value: "definition"}},
		Spec: types.TaskDefinition{Family: &family, ContainerDefinitions: []types.ContainerDefinition{app}, NetworkMode: types.NetworkMode(c.Text("network", "bridge"))}}
	if where := c.Text("where", ""); where != "" {
		d.Spec.PlacementConstraints = []types.TaskDefinitionPlacementConstraint{{Type: "memberOf", Expression: aws.String("attribute:x==" + where)}}
	}
	p.update(func(tx *state.Tx) { tx.Definitions.Put(d) })
}

func (p *play) instanceVerb(c *scenario.Call) {
	attributes := map[string]string{"ecs.availability-zone": c.Text("az", "a"), model.SubnetAttribute: "10.0.0.0/24"}
	for option, name := range map[string]string{"pool": model.PoolAttribute, "x": "x", "fargate": model.FargateAttribute} {
		if v := c.Text(option, ""); v != "" {
			attributes[name] = v
		}
	}
	p.instance(c.Arg(), c.Int("cpu", 1024), c.Int("mem", 2048), attributes, c.Text("status", ""), c.Text("agent", "on") == "on")
}

func (p *play) serviceVerb(c *scenario.Call) {
	s := service{name: c.Arg(), definition: c.Text("of", "f:1"), desired: int32(c.Int("desired", 1)), daemon: c.Text("daemon", "no") == "yes", launch: c.Text("launch", "EC2"), subnets: c.List("subnets")}
	s.settings.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: percent(c, "min"), MaximumPercent: percent(c, "max"),
		DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: c.Text("breaker", "no") == "yes", Rollback: true}}
	for _, item := range c.List("strategy") {
		f := strings.Split(item, ":")
		var base, weight int32
		_, _ = fmt.Sscan(f[1], &base)
		_, _ = fmt.Sscan(f[2], &weight)
		s.strategy, s.launch = append(s.strategy, types.CapacityProviderStrategyItem{CapacityProvider: aws.String(f[0]), Base: base, Weight: weight}), ""
	}
	if c.Text("rebalancing", "no") == "yes" {
		s.settings.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled
	}
	if propagate := c.Text("tags", ""); propagate != "" {
		s.settings.PropagateTags, s.settings.EnableECSManagedTags, s.settings.EnableExecuteCommand = types.PropagateTags(propagate), true, true
	}
	s.external = c.Text("external", "no") == "yes"
	p.create(s)
	if s.settings.EnableECSManagedTags {
		p.change(s.name, func(_ *state.Tx, row *model.Service) { row.Tags = []model.Tag{{Key: "from", Value: "service"}} })
	}
}

func percent(c *scenario.Call, key string) *int32 {
	if n := int32(c.Int(key, -1)); n >= 0 {
		return &n
	}
	return nil
}

func (p *play) deployVerb(c *scenario.Call) {
	s := service{definition: c.Text("of", "f:1"), launch: "EC2"}
	p.change(c.Arg(), func(tx *state.Tx, row *model.Service) { p.deploy(tx, row, &s) })
}

func (p *play) taskSetVerb(c *scenario.Call) {
	name, scale, status := c.Arg(), float64(c.Int("scale", 100)), c.Text("status", "ACTIVE")
	of, id := c.Text("of", "f:1"), c.Text("id", "")
	p.update(func(tx *state.Tx) {
		set := &model.TaskSet{Scope: scope, Cluster: "c", Service: name, ID: model.NewDeploymentID(1_000_001, uint64(id[0])), Scale: scale, Status: status}
		p.names[set.ID] = id
		tx.TaskSets.Put(set)
		tx.Revisions.Put(&model.Revision{Scope: scope, Cluster: "c", Service: name, ID: set.ID, Definition: of, Spec: types.ServiceRevision{LaunchType: "EC2"}})
	})
}

func (p *play) setsVerb(c *scenario.Call) {
	for s := range p.db.Snapshot().TaskSets.All() {
		c.Printf("%s %s %v%%, steady %t", p.names[s.ID], s.Status, s.Scale, s.Steady)
	}
}

// taskVerb changes the task that the line names.
func (p *play) taskVerb(f func(*model.Task) model.Task) func(*scenario.Call) {
	return func(c *scenario.Call) {
		name := c.Arg()
		for _, t := range p.world.tasks("") {
			if p.name(t) == name {
				p.report([]*model.Task{t}, f)
				return
			}
		}
		p.Fatalf("no task %s", name)
	}
}

func (p *play) name(t *model.Task) string {
	if p.names[t.ID] == "" {
		p.tasks++
		p.names[t.ID] = fmt.Sprint("t", p.tasks)
	}
	return p.names[t.ID]
}

// short has names for ids.
func (p *play) short(text string) string {
	for id, name := range p.names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

// tell adds the messages that are new.
func (p *play) tell(c *scenario.Call) {
	for _, t := range p.world.tasks("") {
		p.name(t)
	}
	deployments := 0
	for d := range p.db.Snapshot().Deployments.All() {
		deployments++
		p.names[d.ID] = fmt.Sprint("d", deployments)
	}
	all := slices.Collect(p.db.Snapshot().Messages.All())
	slices.SortStableFunc(all, func(a, b *model.Message) int { return strings.Compare(a.ID, b.ID) })
	for _, m := range all[min(p.messages, len(all)):] {
		text := m.Text
		if p.tasks > 20 && len(text) > 300 {
			text = text[:60] + "..."
		}
		c.Printf("%s", p.short(text))
	}
	p.messages = len(all)
}

// calm checks that whoever looks now finds nothing to do that has not been tried.
func (p *play) calm() {
	before := p.db.Snapshot()
	for s := range before.Services.All() {
		p.update(func(tx *state.Tx) {
			if _, err := p.loop.Reconcile(tx, s.Key(), p.now); err != nil {
				p.Fatal(err)
			}
		})
	}
	if after := p.db.Snapshot(); after.Revision != before.Revision {
		p.Errorf("looking again changes rows")
	}
}

func (p *play) tasksVerb(c *scenario.Call) {
	for _, t := range p.world.tasks(c.Arg()) {
		if t.Last == model.TaskStopped && t.Counted {
			continue
		}
		line := fmt.Sprintf("%s of %s %s on %q", p.name(t), p.names[t.DeploymentID()], t.Last, t.Instance)
		if t.Desired != t.Last && t.Desired == model.TaskStopped {
			line += ", to stop: " + t.StopReason
		}
		if t.CapacityProvider != "" {
			line += " by " + t.CapacityProvider
		}
		for i := range t.Containers {
			if d := t.Containers[i].Digest; d != "" {
				line += " with " + d
			}
		}
		for _, tag := range t.Tags {
			line += " " + tag.Key + "=" + tag.Value
		}
		c.Printf("%s", p.short(line))
	}
}

func (p *play) eventsVerb(c *scenario.Call) {
	all := slices.Collect(p.db.Snapshot().Events.All())
	slices.SortStableFunc(all, func(a, b *model.Event) int { return strings.Compare(a.ID, b.ID) })
	for _, e := range all[p.events:] {
		if !json.Valid([]byte(e.Detail)) {
			p.Errorf("%s is no JSON", e.Detail)
		}
		c.Printf("%s %s", e.DetailType, p.short(e.Detail))
	}
	p.events = len(all)
}

func (p *play) deploymentsVerb(c *scenario.Call) {
	s, ok := p.db.Snapshot().Services.Get(model.ServiceKey(scope, "c", c.Arg()))
	if !ok {
		p.Fatal("no such service")
	}
	c.Printf("%s %s, desired %d, steady %t", s.Name, s.Status, s.Desired, s.Steady != 0)
	for d := range p.db.Snapshot().DeploymentsOf(s) {
		c.Printf("%s %s %s %s, %d failed", p.names[d.ID], d.Status, d.Rollout, d.State, d.FailedTasks)
	}
}

// [O] SEMANTICS §14.1: a service whose role cannot be assumed starts no tasks and says so, once; when its role is changed, they start.
func TestRoleThatCannotBeAssumed(t *testing.T) {
	w := newWorld(t)
	trusted := false
	const role = "arn:aws:iam::000000000000:role/mine"
	w.loop.Trusts = func(_ *state.Tables, c *model.Cluster, of string) bool { return trusted || of != role || c.Name != "c" }
	w.instance("i1", 4096, 4096, nil, "", true)
	w.update(func(tx *state.Tx) {
		tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "f", Revision: 1, Spec: types.TaskDefinition{
			Family: aws.String("f"), ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/other"), TaskRoleArn: aws.String(role),
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("i"), Memory: aws.Int32(64)}}}})
	})
	w.create(service{name: "web", definition: "f:1", desired: 2})
	w.advance(time.Hour)
	var texts, events []string
	for m := range w.db.Snapshot().Messages.All() {
		texts = append(texts, m.Text)
	}
	for e := range w.db.Snapshot().Events.All() {
		events = append(events, e.Detail)
	}
	want := "(service web) failed to launch a task with (error ECS was unable to assume the role '" + role + "' that was provided for this task. Please verify that the role being passed " +
		"has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.)."
	if len(w.tasks("")) != 0 || !slices.Equal(texts, []string{want}) {
		t.Errorf("%d tasks, %q", len(w.tasks("")), texts)
	}
	if !slices.ContainsFunc(events, func(e string) bool {
		return strings.Contains(e, "SERVICE_TASK_CONFIGURATION_FAILURE") && strings.Contains(e, role)
	}) {
		t.Errorf("events %s", events)
	}
	trusted = true
	w.update(func(tx *state.Tx) {
		tx.Roles.Put(&model.Role{Identity: model.Identity{Account: scope.Account, Name: "mine"}})
	})
	w.pump()
	if n := len(w.tasks("web")); n != 2 {
		t.Errorf("%d tasks start then", n)
	}
}
