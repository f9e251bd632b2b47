package ecs

import (
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Every reference parameter is a short name or id, or an ARN. An ARN of another account or Region names nothing here
// (SEMANTICS §1.1).

// clusterName returns the name that a cluster parameter means; ok is false if it can name no cluster of the scope.
func clusterName(s model.Scope, ref *string) (name string, ok bool) {
	if value(ref) == "" {
		return model.DefaultCluster, true
	}
	arn, isARN := model.ParseARN(*ref)
	if !isARN {
		return *ref, true
	}
	name, isCluster := strings.CutPrefix(arn.Tail, "cluster/")
	return name, isCluster && ours(s, arn)
}

// ours reports whether the ARN is of an ECS resource of the scope.
func ours(s model.Scope, arn model.ARN) bool {
	return arn.Service == "ecs" && arn.Scope == s
}

// findCluster returns the cluster that the parameter means, ACTIVE or not.
func findCluster(t *state.Tables, s model.Scope, ref *string) (*model.Cluster, error) {
	name, ok := clusterName(s, ref)
	if !ok {
		return nil, errClusterNotFound()
	}
	c, ok := t.Clusters.Get(model.ClusterKey(s, name))
	if !ok {
		return nil, errClusterNotFound()
	}
	return c, nil
}

// activeCluster returns the cluster that the parameter means, for a call that changes something in it.
func activeCluster(t *state.Tables, s model.Scope, ref *string) (*model.Cluster, error) {
	c, err := findCluster(t, s, ref)
	if err != nil {
		return nil, err
	}
	if c.Status == model.ClusterInactive {
		return nil, errClusterInactive()
	}
	return c, nil
}

// member is a reference to something inside a cluster: a task or a container instance.
type member struct {
	id    string // "" if the reference cannot name one of the scope
	given string // as the caller wrote it
}

// arn is the ARN that the thing has, or would have.
func (m member) arn(build func(model.Scope, string, string) string, c *model.Cluster) string {
	if m.id == "" || strings.HasPrefix(m.given, "arn:") {
		return m.given
	}
	return build(c.Scope, c.Name, m.id)
}

// memberOf reads a reference to a thing of the kind ("task") in the cluster. An ARN that names another cluster is an
// error; one of another account or Region, or of another kind, names nothing.
func memberOf(c *model.Cluster, kind, ref string) (member, error) {
	arn, isARN := model.ParseARN(ref)
	if !isARN {
		return member{ref, ref}, nil
	}
	if !ours(c.Scope, arn) || arn.Type() != kind {
		return member{"", ref}, nil
	}
	switch p := arn.Segments(); {
	case len(p) == 1: // the short form, kind/ID
		return member{p[0], ref}, nil
	case len(p) != 2:
		return member{"", ref}, nil
	case p[0] != c.Name:
		return member{}, errWrongCluster(p[0], c.Name)
	default:
		return member{p[1], ref}, nil
	}
}

// findTask returns the task that ref names in the cluster, or nil with the reference as read.
func findTask(t *state.Tables, c *model.Cluster, ref string) (*model.Task, member, error) {
	m, err := memberOf(c, "task", ref)
	if err != nil || m.id == "" {
		return nil, m, err
	}
	row, _ := t.Tasks.Get(model.TaskKey(c.Scope, c.Name, m.id))
	return row, m, nil
}

// reportedTask returns the task of an agent's report, which names the agent's cluster: a task of that cluster, or one of
// another cluster on an instance of it. It is nil if there is none.
func reportedTask(t *state.Tables, c *model.Cluster, ref string) (*model.Task, error) {
	if arn, isARN := model.ParseARN(ref); isARN && ours(c.Scope, arn) && arn.Type() == "task" && len(arn.Segments()) == 2 {
		p := arn.Segments()
		if row, ok := t.Tasks.Get(model.TaskKey(c.Scope, p[0], p[1])); ok && row.InstanceCluster == c.Name {
			return row, nil
		}
	}
	row, _, err := findTask(t, c, ref)
	return row, err
}

// findService returns the service that ref names in the cluster, whatever its status, or nil with the reference as read.
func findService(t *state.Tables, c *model.Cluster, ref string) (*model.Service, member, error) {
	m, err := memberOf(c, "service", ref)
	if err != nil || m.id == "" {
		return nil, m, err
	}
	row, _ := t.Services.Get(model.ServiceKey(c.Scope, c.Name, m.id))
	return row, m, nil
}

// mustService is findService for the calls that name one service.
func mustService(t *state.Tables, c *model.Cluster, ref *string) (*model.Service, error) {
	s, _, err := findService(t, c, value(ref))
	if err == nil && s == nil {
		err = errServiceNotFound()
	}
	return s, err
}

// activeService returns the cluster and the service for a call that changes the service.
func activeService(t *state.Tables, scope model.Scope, cluster, ref *string) (*model.Cluster, *model.Service, error) {
	c, err := activeCluster(t, scope, cluster)
	if err != nil {
		return nil, nil, err
	}
	s, err := mustService(t, c, ref)
	if err == nil && s.Status != model.ServiceActive {
		err = errServiceNotActive()
	}
	return c, s, err
}

// findInstance returns the container instance that ref names in the cluster, or nil with the reference as read. Nodes that
// take FARGATE tasks only are not shown, so they are not found (SEMANTICS §4.1).
func findInstance(t *state.Tables, c *model.Cluster, ref string) (*model.Instance, member, error) {
	row, m, err := findNode(t, c, ref)
	if row != nil && row.FargateOnly() {
		row = nil
	}
	return row, m, err
}

// findNode is findInstance for calls about the machine itself, whatever it takes.
func findNode(t *state.Tables, c *model.Cluster, ref string) (*model.Instance, member, error) {
	m, err := memberOf(c, "container-instance", ref)
	if err != nil || m.id == "" {
		return nil, m, err
	}
	row, _ := t.Instances.Get(model.InstanceKey(c.Scope, c.Name, m.id))
	return row, m, nil
}

// clusterOfNodes is activeCluster for calls about machines: an INACTIVE cluster may still have some of the FARGATE pool,
// which serve the others.
func clusterOfNodes(t *state.Tables, s model.Scope, ref *string) (*model.Cluster, error) {
	c, err := findCluster(t, s, ref)
	if err != nil || c.Status != model.ClusterInactive {
		return c, err
	}
	for i := range t.InstancesOf(c.Scope, c.Name) {
		if i.FargateOnly() {
			return c, nil
		}
	}
	return nil, errClusterInactive()
}

// mustInstance is findInstance for the calls that name one instance.
func mustInstance(t *state.Tables, c *model.Cluster, ref string) (*model.Instance, error) {
	return mustFind(findInstance(t, c, ref))
}

func mustFind(row *model.Instance, m member, err error) (*model.Instance, error) {
	if err == nil && row == nil {
		err = invalid("Referenced container instance %s not found.", m.given) // [O]
	}
	return row, err
}

// definitionRef is a reference to a task definition: FAMILY, FAMILY:REVISION, or an ARN of either.
type definitionRef struct {
	family   string // "" if it can name none of the scope
	revision int32  // 0: the latest ACTIVE one
}

func parseDefinitionRef(s model.Scope, ref string) definitionRef {
	if arn, isARN := model.ParseARN(ref); isARN {
		name, ok := strings.CutPrefix(arn.Tail, "task-definition/")
		if !ok || !ours(s, arn) {
			return definitionRef{}
		}
		ref = name
	}
	family, rev, exact := strings.Cut(ref, ":")
	if !exact {
		return definitionRef{family: family}
	}
	n, err := strconv.ParseInt(rev, 10, 32)
	if err != nil || n < 1 {
		return definitionRef{}
	}
	return definitionRef{family, int32(n)}
}

// findDefinition returns the revision that the reference means, whatever its status if it names one exactly.
func findDefinition(t *state.Tables, s model.Scope, ref definitionRef) (*model.TaskDefinition, bool) {
	switch {
	case ref.family == "":
		return nil, false
	case ref.revision != 0:
		return t.Definitions.Get(model.DefinitionKey(s, ref.family, ref.revision))
	}
	f, ok := t.Families.Get(s.Key(ref.family))
	if !ok {
		return nil, false
	}
	for n := f.LastRevision; n > 0; n-- { // the newest is nearly always the one
		if d, ok := t.Definitions.Get(model.DefinitionKey(s, ref.family, n)); ok && d.Status == model.DefinitionActive {
			return d, true
		}
	}
	return nil, false
}

// validName reports whether s may name a cluster or a family: 1–255 of [A-Za-z0-9_-] (SEMANTICS §1.1).
func validName(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for _, r := range s {
		if !alphanumeric(r) && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
