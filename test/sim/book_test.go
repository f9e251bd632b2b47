package sim_test

import (
	"net/netip"
	"slices"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// book adds up what one member has given away of each instance, by itself: the state's own indices are checked against it.
type book struct {
	name   string // the member's
	ledger *ledger
	used   map[string]*used // by instance key
}

// used is what tasks hold of an instance from their placement until STOPPED (SEMANTICS §4.6).
type used struct {
	cpu, memory, enis int64
	tasks             int
	tcp, udp          map[int32]int
	gpus, addresses   map[string]int
}

func newBook(member string, l *ledger) *book {
	return &book{name: member, ledger: l, used: map[string]*used{}}
}

func holds(t *model.Task) bool { return t != nil && t.Instance != "" && t.Last != model.TaskStopped }

// load begins anew with a snapshot.
func (b *book) load(s *state.Snapshot) {
	b.used = map[string]*used{}
	for t := range s.Tasks.All() {
		b.ledger.check(b.name, s.Revision, t)
		if holds(t) {
			b.add(t, 1)
		}
	}
	b.ledger.absent(b.name, s)
	for key := range b.used {
		b.sold(s, key)
	}
}

// turn checks one revision.
func (b *book) turn(before *state.Snapshot, r *state.Revision) {
	touched := map[string]bool{}
	for i := range r.Changes {
		c := &r.Changes[i]
		switch c.Table {
		case "tasks":
			was, _ := c.Old.(*model.Task)
			is, _ := c.New.(*model.Task)
			if is == nil {
				b.ledger.breach("%s: task %s was deleted at revision %d", b.name, was.ID, r.Snapshot.Revision)
				continue
			}
			b.ledger.check(b.name, r.Snapshot.Revision, is)
			if holds(was) {
				b.add(was, -1)
				touched[was.InstanceKey()] = true
			}
			if holds(is) {
				b.add(is, 1)
				touched[is.InstanceKey()] = true
			}
			if is.Instance != "" && (was == nil || was.Instance == "") {
				b.placed(before, r.Snapshot, is)
			}
			if is.Service() != "" {
				b.member(before, r.Snapshot, was, is)
			}
		case "instances":
			touched[c.Key] = true
		}
	}
	for key := range touched {
		b.sold(r.Snapshot, key)
	}
}

// placed checks that the instance could take a task, at the beginning or at the end of the revision.
func (b *book) placed(before, after *state.Snapshot, t *model.Task) {
	what := "which is not there"
	for _, s := range []*state.Snapshot{before, after} {
		i, ok := s.Instances.Get(t.InstanceKey())
		switch {
		case !ok:
		case i.Status != model.InstanceActive || !i.AgentConnected:
			what = "which is not ACTIVE and connected"
		default:
			if what = misplaced(before, after, t, i); what == "" {
				return
			}
		}
	}
	b.ledger.breach("%s: task %s was placed on %s at revision %d: %s", b.name, t.ID, t.Instance, after.Revision, what)
}

func (b *book) add(t *model.Task, sign int) {
	u := b.used[t.InstanceKey()]
	if u == nil {
		u = &used{tcp: map[int32]int{}, udp: map[int32]int{}, gpus: map[string]int{}, addresses: map[string]int{}}
		b.used[t.InstanceKey()] = u
	}
	r := &t.Reserved
	u.tasks += sign
	u.cpu, u.memory, u.enis = u.cpu+int64(sign)*r.CPU, u.memory+int64(sign)*r.Memory, u.enis+int64(sign)*int64(r.ENIs)
	count(u.tcp, r.PortsTCP, sign)
	count(u.udp, r.PortsUDP, sign)
	count(u.gpus, r.GPUs, sign)
	count(u.addresses, r.Addresses, sign)
}

func count[K comparable](have map[K]int, some []K, sign int) {
	for _, k := range some {
		if have[k] += sign; have[k] == 0 {
			delete(have, k)
		}
	}
}

// sold checks that nothing of the instance is given twice, and that the state says the same of it.
func (b *book) sold(s *state.Snapshot, key string) {
	u := b.used[key]
	if u == nil {
		return
	}
	i, ok := s.Instances.Get(key)
	if !ok {
		b.ledger.breach("%s: %d tasks on instance %s, which does not exist at revision %d", b.name, u.tasks, key, s.Revision)
		return
	}
	if what := oversold(i, u); what != "" {
		b.ledger.breach("%s: instance %s is oversold at revision %d: %s", b.name, i.ID, s.Revision, what)
	}
	if i.Status == model.InstanceInactive && u.tasks > 0 {
		b.ledger.breach("%s: instance %s is INACTIVE with %d tasks at revision %d", b.name, i.ID, u.tasks, s.Revision)
	}
	if x := s.Usage(key); x.Tasks != u.tasks || x.CPU != u.cpu || x.Memory != u.memory {
		b.ledger.breach("%s: instance %s at revision %d: the index says %d tasks, %d units, %d MiB; the rows %d, %d, %d",
			b.name, i.ID, s.Revision, x.Tasks, x.CPU, x.Memory, u.tasks, u.cpu, u.memory)
	}
	if u.tasks == 0 {
		delete(b.used, key)
	}
}

func oversold(i *model.Instance, u *used) string {
	r := &i.Resources
	switch {
	case u.cpu > r.CPU:
		return "CPU"
	case u.memory > r.Memory:
		return "MEMORY"
	case u.enis > int64(r.ENIs):
		return "ENI"
	}
	for what, ports := range map[string]struct {
		used     map[int32]int
		reserved []int32
	}{"tcp port": {u.tcp, r.PortsTCP}, "udp port": {u.udp, r.PortsUDP}} {
		for port, n := range ports.used {
			if n > 1 || slices.Contains(ports.reserved, port) {
				return what
			}
		}
	}
	for id, n := range u.gpus {
		if n > 1 || !slices.Contains(r.GPUs, id) {
			return "GPU " + id
		}
	}
	subnet, _ := i.Attribute(model.SubnetAttribute)
	within, _ := netip.ParsePrefix(subnet.Value)
	for a, n := range u.addresses {
		addr, err := netip.ParseAddr(a)
		if err != nil || n > 1 || !within.Contains(addr) {
			return "address " + a
		}
	}
	return ""
}
