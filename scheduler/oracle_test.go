package scheduler_test

import (
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/query"
	"github.com/roadstead/roadstead/scheduler"
)

// The rules once more, in the plainest way and from rows alone: each instance is asked everything, for each copy.

// fitting are the instances that can take one more copy.
func (r *rows) fitting(req *scheduler.Request) (out []*model.Instance) {
	for _, i := range r.instances {
		if r.candidate(req, i) && i.AgentConnected && r.room(req, i) && r.wanted(req, i) {
			out = append(out, i)
		}
	}
	return out
}

func (r *rows) candidate(req *scheduler.Request, i *model.Instance) bool {
	if i.Status != model.InstanceActive || req.Pool != "" && i.Pool() != req.Pool {
		return false
	}
	if req.LaunchType == "FARGATE" {
		return i.TakesFargate() || i.Pool() == "fargate"
	}
	return i.Cluster == req.Cluster && i.Pool() != "fargate"
}

// on are the tasks that hold something of the instance.
func (r *rows) on(i *model.Instance) []*model.Task {
	if r.byPlace == nil {
		r.byPlace = map[string][]*model.Task{}
		for _, t := range r.tasks {
			if t.Instance != "" && t.Last != model.TaskStopped {
				r.byPlace[t.InstanceKey()] = append(r.byPlace[t.InstanceKey()], t)
			}
		}
	}
	return r.byPlace[i.Key()]
}

func (r *rows) room(req *scheduler.Request, i *model.Instance) bool {
	has := i.Resources
	cpu, memory, enis := has.CPU, has.Memory, has.ENIs
	tcp, udp, gpus, addresses := slices.Clone(has.PortsTCP), slices.Clone(has.PortsUDP), []string{}, []string{}
	for _, t := range r.on(i) {
		u := t.Reserved
		cpu, memory, enis = cpu-u.CPU, memory-u.Memory, enis-u.ENIs
		tcp, udp, gpus, addresses = append(tcp, u.PortsTCP...), append(udp, u.PortsUDP...), append(gpus, u.GPUs...), append(addresses, u.Addresses...)
	}
	free := 0
	for _, g := range has.GPUs {
		if !slices.Contains(gpus, g) {
			free++
		}
	}
	wanted := req.GPUs
	if wanted == model.AllGPUs {
		wanted = max(1, len(has.GPUs))
	}
	n := req.Need
	if n.ENIs > 0 {
		// Subnets of these tests are /30: two addresses.
		if _, ok := i.Attribute(model.SubnetAttribute); ok && len(addresses) >= 2 {
			return false
		}
	}
	taken := func(have []int32) func(int32) bool { return func(p int32) bool { return slices.Contains(have, p) } }
	return (n.CPU == 0 || n.CPU <= cpu) && (n.Memory == 0 || n.Memory <= memory) && (n.ENIs == 0 || n.ENIs <= enis) &&
		(req.GPUs == 0 || wanted <= free) && !slices.ContainsFunc(n.PortsTCP, taken(tcp)) && !slices.ContainsFunc(n.PortsUDP, taken(udp))
}

func (r *rows) wanted(req *scheduler.Request, i *model.Instance) bool {
	if len(req.Zones) > 0 && !slices.Contains(req.Zones, i.Zone()) {
		return false
	}
	for _, a := range req.Attributes {
		have, ok := i.Attribute(a.Name)
		if !ok || a.HasValue && have.Value != a.Value {
			return false
		}
	}
	for _, c := range req.Constraints {
		if c.Type == model.ConstraintDistinctInstance {
			if r.tasksOf(req, []*model.Instance{i}) > 0 {
				return false
			}
			continue
		}
		e, err := query.Parse(c.Expression)
		if err != nil || !e.Match(plainSubject{r, i}) {
			return false
		}
	}
	return true
}

func (r *rows) tasksOf(req *scheduler.Request, at []*model.Instance) (n int) {
	for _, i := range at {
		for _, t := range r.on(i) {
			if t.Cluster == req.Cluster && t.Group == req.Group && t.Group != "" {
				n++
			}
		}
	}
	return n
}

// best are the fitting instances that the strategy prefers.
func (r *rows) best(req *scheduler.Request) []*model.Instance {
	left := r.fitting(req)
	for _, s := range req.Strategy {
		if s.Type == model.StrategyRandom {
			break
		}
		left = least(left, func(i *model.Instance) int64 { return r.weigh(req, s, i) })
	}
	return left
}

func least(is []*model.Instance, weigh func(*model.Instance) int64) (out []*model.Instance) {
	var best int64
	for _, i := range is {
		switch w := weigh(i); {
		case out == nil || w < best:
			best, out = w, []*model.Instance{i}
		case w == best:
			out = append(out, i)
		}
	}
	return out
}

func (r *rows) weigh(req *scheduler.Request, s model.PlacementStrategy, i *model.Instance) int64 {
	if s.Type == model.StrategyBinpack {
		left := i.Resources.CPU
		if s.Field == model.FieldMemory {
			left = i.Resources.Memory
		}
		for _, t := range r.on(i) {
			if s.Field == model.FieldMemory {
				left -= t.Reserved.Memory
			} else {
				left -= t.Reserved.CPU
			}
		}
		return left
	}
	name, ok := strings.CutPrefix(s.Field, model.FieldAttribute)
	if !ok {
		return int64(r.tasksOf(req, []*model.Instance{i}))
	}
	var class []*model.Instance
	mine, _ := i.Attribute(name)
	for _, j := range r.instances {
		if v, _ := j.Attribute(name); v.Value == mine.Value && r.inDomain(req, j) {
			class = append(class, j)
		}
	}
	return int64(r.tasksOf(req, class))
}

// inDomain reports whether the instance's tasks count for a spread: those of DRAINING ones, and of other pools, do [I].
func (r *rows) inDomain(req *scheduler.Request, i *model.Instance) bool {
	alive := *i
	alive.Status = model.InstanceActive
	all := *req
	all.Pool = ""
	return i.Status != model.InstanceInactive && r.candidate(&all, &alive)
}

// plainSubject is an instance as an expression sees it.
type plainSubject struct {
	r *rows
	i *model.Instance
}

func (s plainSubject) Attribute(name string) (string, bool) {
	a, ok := s.i.Attribute(name)
	return a.Value, ok
}
func (s plainSubject) AgentConnected() bool    { return s.i.AgentConnected }
func (s plainSubject) AgentVersion() string    { return s.i.AgentVersion }
func (s plainSubject) EC2InstanceID() string   { return s.i.EC2ID }
func (s plainSubject) RegisteredAt() time.Time { return time.UnixMilli(s.i.RegisteredAt) }

func (s plainSubject) RunningTasks() (n int) {
	for _, t := range s.r.on(s.i) {
		if t.Last == model.TaskRunning && t.Desired == model.TaskRunning {
			n++
		}
	}
	return n
}

func (s plainSubject) AnyTask(field string, match func(string) bool) bool {
	return slices.ContainsFunc(s.r.on(s.i), func(t *model.Task) bool {
		if field == query.TaskGroup {
			return t.Group != "" && match(t.Group)
		}
		family, _, _ := strings.Cut(t.Definition, ":")
		return match(family)
	})
}
