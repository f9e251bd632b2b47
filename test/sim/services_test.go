package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// wishes are what users were answered about services, by name.
type wishes struct {
	mu    sync.Mutex
	all   map[string]*wish
	tally struct{ created, updated, deleted, protected, deployments, back int }
}

// wish is what the last acknowledged calls ask of a service.
type wish struct {
	turn    chan struct{} // full during a call: calls for one service come one after the other (a bubble's time stands still for a Mutex)
	known   bool          // false: it is not known what became of a call, or there was none
	there   bool
	family  string
	desired int
	daemon  bool
}

func (w *wishes) of(name string) *wish {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[name] == nil {
		w.all[name] = &wish{turn: make(chan struct{}, 1)}
	}
	return w.all[name]
}

func (w *wishes) count(n *int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*n++
}

// plan is a CreateService to be made.
type plan struct {
	name, family, strategy string
	desired, least, most   int
	daemon                 bool
}

func (p plan) String() string {
	kind := fmt.Sprintf("of %d, %d%% to %d%%, %s", p.desired, p.least, p.most, p.strategy)
	if p.daemon {
		kind = "DAEMON"
	}
	return fmt.Sprintf("service %s of %s, %s", p.name, p.family, kind)
}

// request is the call's input. Every service has a circuit breaker with rollback.
func (p plan) request() map[string]any {
	conf := map[string]any{"deploymentCircuitBreaker": map[string]bool{"enable": true, "rollback": true}}
	in := map[string]any{"serviceName": p.name, "taskDefinition": p.family, "deploymentConfiguration": conf, "launchType": "EC2"}
	if p.daemon {
		in["schedulingStrategy"] = "DAEMON"
		return in
	}
	in["desiredCount"] = p.desired
	conf["minimumHealthyPercent"], conf["maximumPercent"], conf["strategy"] = p.least, p.most, p.strategy
	switch p.strategy {
	case "BLUE_GREEN":
		conf["bakeTimeInMinutes"] = 1
	case "CANARY":
		conf["canaryConfiguration"] = map[string]any{"canaryPercent": 25, "canaryBakeTimeInMinutes": 1}
	}
	if p.family == "vpc" || p.family == fargate {
		in["networkConfiguration"] = map[string]any{"awsvpcConfiguration": map[string]any{"subnets": []string{"subnet-1"}}}
	}
	if p.family == fargate {
		in["launchType"] = "FARGATE"
	}
	return in
}

// kin are the families that a service may change to.
func kin(family string) []string {
	if family == "vpc" || family == fargate {
		return []string{family}
	}
	return []string{"web", "slow", "stubborn", "ports", "broken", "checked", "sickly"}
}

// hopeless are the families whose tasks never become healthy: a service of one is never steady, and its deployment fails.
func hopeless(family string) bool { return family == "broken" || family == "sickly" }

// service draws what is to be done about a service.
func (w *writer) service(at time.Duration) {
	name := fmt.Sprint("s", 1+w.rng.IntN(max(3, w.nodes/20)))
	families := []string{"web", "checked", "checked", "slow", "stubborn", "ports", "vpc", fargate}
	bounds := [][2]int{{100, 200}, {50, 100}, {0, 150}, {50, 200}, {100, 150}}[w.rng.IntN(5)]
	p := plan{
		name: name, family: families[w.rng.IntN(len(families))], desired: 1 + w.rng.IntN(6), least: bounds[0], most: bounds[1],
		daemon: w.rng.IntN(8) == 0, strategy: []string{"ROLLING", "ROLLING", "ROLLING", "BLUE_GREEN", "CANARY"}[w.rng.IntN(5)],
	}
	if p.daemon {
		p.family = "web"
	}
	desired, draw, force, through := w.rng.IntN(8), w.rng.IntN(64), w.rng.IntN(3) == 0, w.rng.IntN(3)
	call := func(do func(c *caller, x *wish)) func(*world) {
		return func(w *world) {
			w.calls.Go(func() {
				x := w.wishes.of(name)
				x.turn <- struct{}{}
				defer func() { <-x.turn }()
				do(w.callers[through], x)
			})
		}
	}
	w.add(at, call(func(c *caller, x *wish) { c.createService(p, x) }), "create %s", p)
	for range 1 + w.rng.IntN(4) {
		switch at += w.lasts() + w.lasts(); w.rng.IntN(6) {
		case 0, 1:
			w.add(at, call(func(c *caller, x *wish) { c.scaleService(name, desired, x) }), "scale service %s to %d", name, desired)
		case 2, 3:
			w.add(at, call(func(c *caller, x *wish) { c.deployService(name, draw, x) }), "deploy to service %s (%d)", name, draw)
		case 4:
			w.add(at, call(func(c *caller, _ *wish) { c.protectSome(name, draw) }), "protect tasks of service %s", name)
		case 5:
			if force {
				w.add(at, call(func(c *caller, x *wish) { c.deleteService(name, x) }), "delete service %s", name)
			}
		}
	}
}

// heard takes note of how a call about a service ended, and says whether it was carried out.
func (c *caller) heard(x *wish, what string, err error) bool {
	switch {
	case err == nil:
		return true
	case !refusal(err) && !strings.HasPrefix(model.ErrorCode(err), "Service"):
		x.known = false
	case x.known && x.there:
		c.w.ledger.breach("%s refused: %v", what, err)
	}
	return false
}

func (c *caller) createService(p plan, x *wish) {
	if x.there || !x.known && x.family != "" { // a service of this name may be there, of other settings
		return
	}
	x.family, x.desired, x.daemon = p.family, p.desired, p.daemon
	err := c.call("CreateService", p.request(), nil)
	if err != nil && (strings.Contains(err.Error(), "Draining") || strings.Contains(err.Error(), "not idempotent")) { // the one before is going yet
		x.family = ""
		return
	}
	x.there = true
	if x.known = true; c.heard(x, "CreateService "+p.name, err) {
		c.w.wishes.count(&c.w.wishes.tally.created)
	}
}

func (c *caller) scaleService(name string, desired int, x *wish) {
	if !x.there || x.daemon {
		return
	}
	if hopeless(x.family) { // its deployment would be completed by having nothing to do
		desired = max(desired, 1)
	}
	if c.heard(x, "UpdateService "+name, c.call("UpdateService", map[string]any{"service": name, "desiredCount": desired}, nil)) {
		x.desired = desired
		c.w.wishes.count(&c.w.wishes.tally.updated)
	}
}

func (c *caller) deployService(name string, draw int, x *wish) {
	if !x.there {
		return
	}
	in, families := map[string]any{"service": name, "forceNewDeployment": draw%3 == 0}, kin(x.family)
	family := families[draw%len(families)]
	switch {
	case x.daemon:
		family = "web"
	case hopeless(family) && x.desired == 0:
		family = x.family
	}
	in["taskDefinition"] = family
	if c.heard(x, "UpdateService "+name, c.call("UpdateService", in, nil)) {
		x.family = family
		c.w.wishes.count(&c.w.wishes.tally.updated)
	}
}

func (c *caller) deleteService(name string, x *wish) {
	if !x.there {
		return
	}
	if c.heard(x, "DeleteService "+name, c.call("DeleteService", map[string]any{"service": name, "force": true}, nil)) {
		x.known, x.there, x.family = true, false, ""
		c.w.wishes.count(&c.w.wishes.tally.deleted)
	}
}

// protectSome protects some of the service's tasks for a minute; they may be gone.
func (c *caller) protectSome(name string, draw int) {
	var list struct{ TaskArns []string }
	if err := c.call("ListTasks", map[string]any{"serviceName": name}, &list); err != nil || len(list.TaskArns) == 0 {
		return
	}
	some := list.TaskArns[:1+draw%min(len(list.TaskArns), 10)]
	if c.call("UpdateTaskProtection", map[string]any{"cluster": cluster, "tasks": some, "protectionEnabled": true, "expiresInMinutes": 1}, nil) == nil {
		c.w.wishes.count(&c.w.wishes.tally.protected)
	}
}

// member checks what a revision did to one task of a service: protection holds, and starts stay within the maximum.
func (b *book) member(before, after *state.Snapshot, was, is *model.Task) {
	key := model.ServiceKey(is.Scope, is.Cluster, is.Service())
	old, oldThere := before.Services.Get(key)
	s, there := after.Services.Get(key)
	switch {
	case !there:
		b.ledger.breach("%s: task %s is of service %s, which is not there at revision %d", b.name, is.ID, is.Service(), after.Revision)
	case was == nil:
		b.within(after, is, old, s)
	case oldThere && old.Status == model.ServiceActive && s.Status == model.ServiceActive && was.Desired == model.TaskRunning &&
		is.Desired == model.TaskStopped && is.StopCode == model.StopServiceSchedulerInitiated && is.StoppingAt < was.ProtectedUntil:
		b.ledger.breach("%s: task %s was stopped at revision %d though it is protected: %s", b.name, is.ID, after.Revision, is.StopReason)
	}
}

// within checks that a task was started within the service's maximum, as it was before or after the revision.
func (b *book) within(after *state.Snapshot, is *model.Task, rows ...*model.Service) {
	live, same, here := 0, 0, 0
	for t := range after.TasksOfService(model.ServiceKey(is.Scope, is.Cluster, is.Service())) {
		if t.Desired == model.TaskRunning && t.Last != model.TaskStopped {
			if live++; t.DeploymentID() == is.DeploymentID() {
				same++
			}
			if t.Instance == is.Instance {
				here++
			}
		}
	}
	most := 0
	for _, s := range rows {
		switch {
		case s == nil || s.Status != model.ServiceActive:
		case s.Scheduling == model.SchedulingDaemon:
			if most = live; here > 1 {
				most = -1
			}
		default:
			m := int(s.Desired*(*s.Settings.DeploymentConfiguration.MaximumPercent)) / 100
			if staged(after, s) { // each revision has its own share
				m += live - same
			}
			most = max(most, m)
		}
	}
	if live > most {
		b.ledger.breach("%s: service %s has %d tasks, %d of them on %s, after a start at revision %d", b.name, is.Service(), live, here, is.Instance, after.Revision)
	}
}

func staged(snap *state.Snapshot, s *model.Service) bool {
	for d := range snap.DeploymentsOf(s) {
		if d.Status != model.DeploymentInactive && d.Staged() {
			return true
		}
	}
	return false
}

// unsettled are services that have not come to their end: they have what was asked for, in one deployment that has ended, and
// those that were deleted are gone.
func (w *world) unsettled(snap *state.Snapshot) (out []string) {
	w.wishes.mu.Lock()
	names := slices.Sorted(maps.Keys(w.wishes.all))
	w.wishes.mu.Unlock()
	for _, name := range names {
		x := w.wishes.of(name)
		x.turn <- struct{}{}
		if what := w.short(snap, name, x); what != "" {
			out = append(out, fmt.Sprintf("service %s %s", name, what))
		}
		<-x.turn
	}
	return out
}

func (w *world) short(snap *state.Snapshot, name string, x *wish) string {
	s, ok := snap.Services.Get(model.ServiceKey(model.Scope{Account: account, Region: region}, cluster, name))
	live := 0
	if ok {
		for t := range snap.TasksOfService(s.Key()) {
			if live++; t.Last == model.TaskStopped {
				return "has task " + t.ID + ", which is over, and of which nobody has taken note"
			}
		}
	}
	switch {
	case !ok && (!x.known || !x.there):
		return ""
	case !ok:
		return "is not there"
	case s.Status == model.ServiceDraining, s.Status == model.ServiceInactive && live > 0:
		return fmt.Sprintf("is %s with %d tasks", s.Status, live)
	case x.known && x.there != (s.Status == model.ServiceActive):
		return fmt.Sprintf("is %s, but it was answered that it is there: %t", s.Status, x.there)
	case s.Status == model.ServiceInactive:
		return ""
	case x.known && !x.daemon && int(s.Desired) != x.desired:
		return fmt.Sprintf("is to have %d tasks, but %d were asked for", s.Desired, x.desired)
	}
	return w.deployed(snap, s, live)
}

func (w *world) deployed(snap *state.Snapshot, s *model.Service, live int) string {
	listed, primary := 0, (*model.Deployment)(nil)
	for d := range snap.DeploymentsOf(s) {
		if d.Status != model.DeploymentInactive {
			listed++
		}
		if d.Status == model.DeploymentPrimary {
			primary = d
		}
	}
	least, most := deployment.Bounds(s)
	switch {
	case primary == nil:
		return "has no PRIMARY deployment"
	case primary.Rollout == model.RolloutFailed && primary.Ended(): // nothing to roll back to
		return ""
	case listed > 1 && least >= most && s.Desired > 0: // no update can go on within these bounds (SEMANTICS §8.2)
		return ""
	case listed != 1, primary.Rollout != model.RolloutCompleted, !primary.Ended():
		return fmt.Sprintf("has %d deployments, the PRIMARY one is %s, %s: %s\n%s", listed, primary.Rollout, primary.State, primary.RolloutReason, w.story(s.Name))
	case live != int(s.Desired), s.Steady == 0:
		return fmt.Sprintf("has %d tasks of %d, steady: %t\n%s", live, s.Desired, s.Steady != 0, w.story(s.Name))
	}
	return ""
}

// story is what the control plane says of the service.
func (w *world) story(name string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.Context()), time.Minute)
	defer cancel()
	var out json.RawMessage
	if err := w.callers[0].client.Do(ctx, "GET", "/roadstead/v1/services/"+name+"/explain?cluster="+cluster, nil, &out); err != nil {
		return err.Error()
	}
	return string(out)
}

// sum adds up what became of the deployments.
func (w *wishes) sum(snap *state.Snapshot) string {
	for d := range snap.Deployments.All() {
		w.tally.deployments++
		if d.Rollback != nil {
			w.tally.back++
		}
	}
	return fmt.Sprintf("%d services made, %d updates, %d deleted, %d protections, %d deployments, %d of them rolled back",
		w.tally.created, w.tally.updated, w.tally.deleted, w.tally.protected, w.tally.deployments, w.tally.back)
}
