package deploy

import (
	"maps"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// hints say which services something concerns that is not theirs: an instance, or room that appears. They follow the changes,
// and only ever make a service be looked at: what it does follows from the rows.
type hints struct {
	daemons  map[string]keys           // services by cluster that follow the instances
	balanced map[string]keys           // services by cluster that follow the zones
	zones    map[string]map[string]int // ACTIVE instances by cluster and zone
	on       map[string]map[string]int // tasks by instance and service

	unplaced map[string]keys // services by cluster, or by the scope for FARGATE, with copies that have no place
	tries    map[string]try  // by service
}

// try is how often places have been looked for in vain, and when they are next.
type try struct {
	count int
	next  model.Millis
	last  model.Millis // when they were looked for
	in    string       // key of unplaced
	moves bool         // the copies are wanted for the balance of zones only
}

// keys are row keys, sorted, so that nothing depends on the order of a map.
type keys []string

func (k *keys) add(key string) {
	if i, ok := slices.BinarySearch(*k, key); !ok {
		*k = slices.Insert(*k, i, key)
	}
}

func (k *keys) remove(key string) {
	if i, ok := slices.BinarySearch(*k, key); ok {
		*k = slices.Delete(*k, i, i+1)
	}
}

// change adds a key to those under a name, or removes it.
func change(m map[string]keys, name, key string, in bool) {
	k := m[name]
	if in {
		k.add(key)
	} else {
		k.remove(key)
	}
	if m[name] = k; len(k) == 0 {
		delete(m, name)
	}
}

// newHints are those that follow from the rows.
func newHints(t *state.Tables) hints {
	h := hints{daemons: map[string]keys{}, balanced: map[string]keys{}, zones: map[string]map[string]int{}, on: map[string]map[string]int{},
		unplaced: map[string]keys{}, tries: map[string]try{}}
	for s := range t.Services.All() {
		h.service(s.Key(), s)
	}
	for i := range t.Instances.All() {
		h.zone(i, +1)
	}
	for task := range t.Tasks.All() {
		if task.Service() != "" && holds(task) {
			h.count(task, serviceKey(task.Key(), task), +1)
		}
	}
	return h
}

// service takes note of a service, nil if its row is gone.
func (h *hints) service(key string, s *model.Service) {
	cluster, active := before(key), s != nil && s.Status == model.ServiceActive
	change(h.daemons, cluster, key, active && s.Scheduling == model.SchedulingDaemon)
	change(h.balanced, cluster, key, active && string(s.Settings.AvailabilityZoneRebalancing) == "ENABLED")
}

// zone counts an ACTIVE instance, and reports whether it is the first or was the last of its zone.
func (h *hints) zone(i *model.Instance, sign int) bool {
	if i == nil || i.Status != model.InstanceActive {
		return false
	}
	cluster := model.ClusterKey(i.Scope, i.Cluster)
	if h.zones[cluster] == nil {
		h.zones[cluster] = map[string]int{}
	}
	n := h.zones[cluster][i.Zone()] + sign
	h.zones[cluster][i.Zone()] = n
	return n == max(sign, 0)
}

// count counts a service's task on its instance.
func (h *hints) count(t *model.Task, service string, sign int) {
	key := t.InstanceKey()
	if h.on[key] == nil {
		h.on[key] = map[string]int{}
	}
	if h.on[key][service] += sign; h.on[key][service] <= 0 {
		delete(h.on[key], service)
	}
	if len(h.on[key]) == 0 {
		delete(h.on, key)
	}
}

// before is a row's key without its last part.
func before(key string) string { return key[:strings.LastIndexByte(key, '/')] }

// serviceKey is the key of the service that the task with the key belongs to.
func serviceKey(taskKey string, t *model.Task) string { return before(taskKey) + "/" + t.Service() }

// holds reports whether the task, if there is one, takes room of an instance.
func holds(t *model.Task) bool { return t != nil && t.Instance != "" && t.Last != model.TaskStopped }

// fargate is where services wait for room whose tasks go to the instances of all clusters.
func fargate(s model.Scope) string { return s.Key("", "FARGATE") }

// wave is how many services without a place hear of room that appears, in turn: one task's room is soon taken, and thousands
// of them must not be asked for each. Those that have not heard of it try again by themselves.
const wave = 64

// room appends services that lack room in the place, the next ones in turn.
func (h *hints) room(dst []string, place string) []string {
	k := h.unplaced[place]
	if len(k) <= wave {
		for _, key := range k {
			h.hasten(key)
		}
		return append(dst, k...)
	}
	from := 0
	if last, ok := h.tries[place]; ok { // the turn is remembered under the name of the place
		from, _ = slices.BinarySearch(k, last.in)
	}
	for range wave {
		from %= len(k)
		h.hasten(k[from])
		dst = append(dst, k[from])
		from++
	}
	h.tries[place] = try{in: k[from%len(k)]}
	return dst
}

// hasten lets a service that has copies where it does not want them try again soon: each try says so, and room may appear often.
func (h *hints) hasten(key string) {
	if t := h.tries[key]; t.moves {
		t.next = min(t.next, t.last+soon.Milliseconds())
		h.tries[key] = t
	}
}

// lacking takes note that the service has copies without a place, and says when it tries again; ask whether it is time to look
// for the cause. Moves: the copies are wanted for the balance of zones only.
func (l *Loop) lacking(key string, onFargate, moves bool, now model.Millis) (next model.Millis, ask bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hints.tries == nil { // asked before All: by a test
		l.hints.unplaced, l.hints.tries = map[string]keys{}, map[string]try{}
	}
	t, known := l.hints.tries[key]
	place := before(key)
	if onFargate {
		parts := strings.SplitN(key, "/", 3)
		place = fargate(model.Scope{Account: parts[0], Region: parts[1]})
	}
	if known && t.in != place {
		change(l.hints.unplaced, t.in, key, false)
	}
	change(l.hints.unplaced, place, key, true)
	t.in, t.moves = place, moves
	if ask = now >= t.next; ask {
		latest := lastTry
		if moves {
			latest = lastMove
		}
		t.last, t.next = now, now+min(firstTry<<min(t.count, 10), latest).Milliseconds()
		t.count++
	}
	l.hints.tries[key] = t
	return t.next, ask
}

// moveAt is when a service may be rebalanced again after copies found no place in the zones where they were wanted, 0 if they
// did.
func (l *Loop) moveAt(key string) model.Millis {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.hints.tries[key]; t.moves {
		return t.next
	}
	return 0
}

// forget takes note that the service lacks no place.
func (l *Loop) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.hints.tries[key]; ok {
		change(l.hints.unplaced, t.in, key, false)
		delete(l.hints.tries, key)
	}
}

// Touched appends the services that a changed row concerns: its own; those with tasks on an instance, those that follow
// instances, and those that lack room, or a role that is changed.
func (l *Loop) Touched(dst []string, c *state.Change) []string {
	switch c.Table {
	case "services":
		s, _ := c.New.(*model.Service)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.hints.daemons != nil {
			l.hints.service(c.Key, s)
		}
		return append(dst, c.Key)
	case "deployments", "tasksets":
		return append(dst, before(c.Key))
	case "tasks":
		old, _ := c.Old.(*model.Task)
		now, _ := c.New.(*model.Task)
		return l.touchedByTask(dst, c.Key, old, now)
	case "instances":
		old, _ := c.Old.(*model.Instance)
		now, _ := c.New.(*model.Instance)
		return l.touchedByInstance(dst, c.Key, old, now)
	case "clusters":
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.hints.room(dst, c.Key)
	case "roles": // one that could not be assumed may be trusted now
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, place := range slices.Sorted(maps.Keys(l.hints.unplaced)) {
			if strings.HasPrefix(place, before(c.Key)+"/") {
				dst = l.hints.room(dst, place)
			}
		}
	}
	return dst
}

func (l *Loop) touchedByTask(dst []string, key string, old, now *model.Task) []string {
	one := now
	if one == nil {
		one = old
	}
	came, left := holds(now) && !holds(old), holds(old) && !holds(now)
	service := ""
	if one.Service() != "" && (came || left || concerns(old, now)) {
		service = serviceKey(key, one)
		dst = append(dst, service)
	}
	if !came && !left {
		return dst
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hints.on == nil {
		return dst
	}
	switch {
	case left:
		if service != "" {
			l.hints.count(old, service, -1)
		}
		if len(l.hints.unplaced) > 0 {
			dst = l.hints.room(l.hints.room(dst, before(old.InstanceKey())), fargate(old.Scope))
		}
	case service != "":
		l.hints.count(now, service, +1)
	}
	return dst
}

// concerns reports whether a change of a service's task is one that the service looks at.
func concerns(old, now *model.Task) bool {
	if old == nil || now == nil {
		return now != nil || !old.Counted
	}
	return stage(old.Last) != stage(now.Last) || old.Desired != now.Desired || old.Health != now.Health || old.StartedAt != now.StartedAt ||
		old.ProtectedUntil != now.ProtectedUntil || old.Instance != now.Instance || pulled(old) != pulled(now)
}

// stage is the status of a task as far as its service cares.
func stage(status string) string {
	switch status {
	case model.TaskProvisioning, model.TaskActivating:
		return model.TaskPending
	case model.TaskDeprovisioning:
		return model.TaskStopping
	}
	return status
}

// pulled is how many of the task's images have a digest.
func pulled(t *model.Task) (n int) {
	for i := range t.Containers {
		if t.Containers[i].Digest != "" {
			n++
		}
	}
	return n
}

func (l *Loop) touchedByInstance(dst []string, key string, old, now *model.Instance) []string {
	moved := status(old) != status(now) || old != nil && now != nil && !slices.Equal(old.Attributes, now.Attributes)
	roomier := now != nil && now.Status == model.InstanceActive && now.AgentConnected &&
		(moved || !old.AgentConnected || old.Resources.CPU != now.Resources.CPU || old.Resources.Memory != now.Resources.Memory)
	if !moved && !roomier {
		return dst
	}
	cluster := before(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.hints
	if h.on == nil {
		return dst
	}
	if moved {
		emptied, opened := h.zone(old, -1), h.zone(now, +1)
		if emptied || opened {
			dst = append(dst, h.balanced[cluster]...)
		}
	}
	if status(old) != status(now) {
		dst = slices.AppendSeq(dst, slices.Values(slices.Sorted(maps.Keys(h.on[key]))))
	}
	dst = append(dst, h.daemons[cluster]...)
	if roomier {
		dst = h.room(dst, cluster)
		if now.TakesFargate() || now.FargateOnly() {
			dst = h.room(dst, fargate(now.Scope))
		}
	}
	return dst
}

// status of an instance, "" if there is none.
func status(i *model.Instance) string {
	if i == nil {
		return ""
	}
	return i.Status
}
