package state

import (
	"fmt"
	"iter"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// Tables are all the rows of a Region. Writers of each are named at the row's type in model and in ARCHITECTURE.md.
type Tables struct {
	Accounts        *Table[model.Account]
	AccessKeys      *Table[model.AccessKey]
	AccountSettings *Table[model.AccountSetting]
	Clusters        *Table[model.Cluster]
	Families        *Table[model.Family]
	Definitions     *Table[model.TaskDefinition]
	Instances       *Table[model.Instance]
	Tasks           *Table[model.Task]
	RunTokens       *Table[model.RunToken]
	Repositories    *Table[model.Repository]
	Providers       *Table[model.CapacityProvider]

	index Index // of a head, nil otherwise
}

// Usage is what the tasks placed on an instance and not yet STOPPED take of it (SEMANTICS §4.6), and how many there
// are. Running counts those wanted RUNNING, Pending those of them that are not there yet.
type Usage struct {
	model.Resources
	Tasks   int
	Running int
	Pending int
}

// ClusterCount counts the tasks of a cluster that are not STOPPED, by launch type and by how far they are. Waiting counts
// those of the pending ones that have no instance yet.
type ClusterCount struct {
	RunningEC2, PendingEC2           int
	RunningFargate, PendingFargate   int
	RunningExternal, PendingExternal int
	Waiting                          int
}

// TasksOn yields the tasks placed on the instance and not yet STOPPED, in id order.
func (t *Tables) TasksOn(instanceKey string) iter.Seq[*model.Task] { return t.Tasks.by(0, instanceKey) }

// Waiting yields the tasks of the cluster that wait for an instance, the oldest first.
func (t *Tables) Waiting(clusterKey string) iter.Seq[*model.Task] { return t.Tasks.by(1, clusterKey) }

// Usage returns what is taken of the instance.
func (t *Tables) Usage(instanceKey string) Usage {
	return sumOf[model.Task, Usage](t.Tasks, 0, instanceKey)
}

// ClusterCount returns the counts of the cluster's tasks.
func (t *Tables) ClusterCount(clusterKey string) ClusterCount {
	return sumOf[model.Task, ClusterCount](t.Tasks, 1, clusterKey)
}

// InstancesOf yields the container instances of the cluster, INACTIVE ones too, in id order.
func (t *Tables) InstancesOf(s model.Scope, cluster string) iter.Seq[*model.Instance] {
	return t.Instances.Prefix(s.Key(cluster, ""))
}

// TasksOf yields the tasks of the cluster, stopped ones too, in id order.
func (t *Tables) TasksOf(s model.Scope, cluster string) iter.Seq[*model.Task] {
	return t.Tasks.Prefix(s.Key(cluster, ""))
}

// Revisions yields the revisions of the family in order.
func (t *Tables) Revisions(s model.Scope, family string) iter.Seq[*model.TaskDefinition] {
	return t.Definitions.Prefix(s.Key(family, ""))
}

// keyed defines a table whose rows know their key.
func keyed[R any, P interface {
	*R
	Key() string
}](name string) *tableDef[R] {
	return &tableDef[R]{name: name, key: func(r *R) string { return P(r).Key() }}
}

// newTables returns empty tables.
func newTables() *Tables {
	tasks := keyed[model.Task]("tasks")
	tasks.indices = append(tasks.indices,
		func(t *model.Task) (string, bool) { return t.InstanceKey(), holds(t) },
		func(t *model.Task) (string, bool) {
			if !t.Waiting() {
				return "", false
			}
			return fmt.Sprintf("%s\x00%013d", model.ClusterKey(t.Scope, t.Cluster), t.CreatedAt), true
		})
	tasks.folds = append(tasks.folds,
		func() fold[model.Task] {
			return newSum(func(t *model.Task) (string, bool) { return t.InstanceKey(), holds(t) }, addUsage,
				func(u Usage) bool { return u.Tasks == 0 })
		},
		func() fold[model.Task] {
			return newSum(func(t *model.Task) (string, bool) {
				return model.ClusterKey(t.Scope, t.Cluster), t.Last != model.TaskStopped
			}, addCount, func(c ClusterCount) bool { return c == ClusterCount{} })
		})
	return &Tables{
		Accounts:        newTable(keyed[model.Account]("accounts")),
		AccessKeys:      newTable(keyed[model.AccessKey]("accesskeys")),
		AccountSettings: newTable(keyed[model.AccountSetting]("accountsettings")),
		Clusters:        newTable(keyed[model.Cluster]("clusters")),
		Families:        newTable(keyed[model.Family]("families")),
		Definitions:     newTable(keyed[model.TaskDefinition]("definitions")),
		Instances:       newTable(keyed[model.Instance]("instances")),
		Tasks:           newTable(tasks),
		RunTokens:       newTable(keyed[model.RunToken]("runtokens")),
		Repositories:    newTable(keyed[model.Repository]("repositories")),
		Providers:       newTable(keyed[model.CapacityProvider]("providers")),
	}
}

// holds reports whether the task takes resources of an instance.
func holds(t *model.Task) bool { return t.Instance != "" && t.Last != model.TaskStopped }

// each calls f with every table, in a fixed order.
func (t *Tables) each(f func(table)) {
	f(t.Accounts)
	f(t.AccessKeys)
	f(t.AccountSettings)
	f(t.Clusters)
	f(t.Families)
	f(t.Definitions)
	f(t.Instances)
	f(t.Tasks)
	f(t.RunTokens)
	f(t.Repositories)
	f(t.Providers)
}

// freeze returns an immutable copy; tables unchanged since the last freeze are taken from prev.
func (t *Tables) freeze(prev *Tables) *Tables {
	return &Tables{
		Accounts:        frozen(t.Accounts, prev.Accounts),
		AccessKeys:      frozen(t.AccessKeys, prev.AccessKeys),
		AccountSettings: frozen(t.AccountSettings, prev.AccountSettings),
		Clusters:        frozen(t.Clusters, prev.Clusters),
		Families:        frozen(t.Families, prev.Families),
		Definitions:     frozen(t.Definitions, prev.Definitions),
		Instances:       frozen(t.Instances, prev.Instances),
		Tasks:           frozen(t.Tasks, prev.Tasks),
		RunTokens:       frozen(t.RunTokens, prev.RunTokens),
		Repositories:    frozen(t.Repositories, prev.Repositories),
		Providers:       frozen(t.Providers, prev.Providers),
	}
}

// thaw returns a changeable copy of frozen tables.
func (t *Tables) thaw() *Tables {
	return &Tables{
		Accounts:        t.Accounts.copy(),
		AccessKeys:      t.AccessKeys.copy(),
		AccountSettings: t.AccountSettings.copy(),
		Clusters:        t.Clusters.copy(),
		Families:        t.Families.copy(),
		Definitions:     t.Definitions.copy(),
		Instances:       t.Instances.copy(),
		Tasks:           t.Tasks.copy(),
		RunTokens:       t.RunTokens.copy(),
		Repositories:    t.Repositories.copy(),
		Providers:       t.Providers.copy(),
	}
}

func frozen[R any](t, prev *Table[R]) *Table[R] {
	if !t.dirty {
		return prev
	}
	t.dirty = false
	return t.copy()
}

func addUsage(u Usage, t *model.Task, sign int) Usage {
	r := &t.Reserved
	u.CPU += int64(sign) * r.CPU
	u.Memory += int64(sign) * r.Memory
	u.ENIs += int32(sign) * r.ENIs
	u.PortsTCP = addAll(u.PortsTCP, r.PortsTCP, sign)
	u.PortsUDP = addAll(u.PortsUDP, r.PortsUDP, sign)
	u.GPUs = addAll(u.GPUs, r.GPUs, sign)
	u.Addresses = addAll(u.Addresses, r.Addresses, sign)
	u.Tasks += sign
	if t.Desired == model.TaskRunning {
		if t.Last == model.TaskRunning {
			u.Running += sign
		} else {
			u.Pending += sign
		}
	}
	return u
}

// addAll returns have with some added (sign +1) or one of each removed (sign -1), leaving have as it is.
func addAll[E comparable](have, some []E, sign int) []E {
	if len(some) == 0 {
		return have
	}
	if sign > 0 {
		return append(slices.Clip(have), some...)
	}
	out := slices.Clone(have)
	for _, e := range some {
		if i := slices.Index(out, e); i >= 0 {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

func addCount(c ClusterCount, t *model.Task, sign int) ClusterCount {
	running, pending := &c.RunningEC2, &c.PendingEC2
	switch t.LaunchType {
	case "FARGATE":
		running, pending = &c.RunningFargate, &c.PendingFargate
	case "EXTERNAL":
		running, pending = &c.RunningExternal, &c.PendingExternal
	}
	switch t.Last {
	case model.TaskRunning:
		*running += sign
	case model.TaskProvisioning, model.TaskPending, model.TaskActivating:
		*pending += sign
	}
	if t.Waiting() {
		c.Waiting += sign
	}
	return c
}
