package access

import (
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// ecsMembers says in which members of a request the things of a sort are named; those that end the resource's tail.
func ecsMembers(sort string) []string {
	switch sort {
	case "cluster":
		return []string{"clusters[]", "cluster", "clusterName"}
	case "service":
		return []string{"services[]", "service", "serviceName"}
	case "task":
		return []string{"tasks[]", "task"}
	case "containerInstance":
		return []string{"containerInstances[]", "containerInstance", "attributes[].targetId"}
	case "revision": // of a task definition
		return []string{"taskDefinitions[]", "taskDefinition"}
	case "capacityProvider":
		return []string{"capacityProviders[]", "capacityProvider", "name"}
	case "taskSet":
		return []string{"taskSets[]", "taskSet"}
	case "serviceDeployment":
		return []string{"serviceDeploymentArns[]", "serviceDeploymentArn"}
	case "serviceRevision":
		return []string{"serviceRevisionArns[]"}
	case "resource":
		return []string{"resourceArn"}
	}
	return nil
}

// ecsTargets are the things of ECS that a request names. A name is one of the caller's account, in the request's cluster; an ARN
// stands for itself, be it another account's.
func (d *decider) ecsTargets() []target {
	if len(d.op.Resources) == 0 {
		t := d.clusterTarget()
		t.arn, t.tags = "*", nil
		return []target{t}
	}
	var out []target
	for _, tail := range d.op.Resources {
		tail, optional := strings.CutSuffix(tail, "?")
		sort := lastName(tail)
		refs := d.every(ecsMembers(sort)...)
		switch {
		case d.Operation == "RegisterTaskDefinition":
			refs = []string{d.one("family") + ":*"}
		case refs == nil && optional:
			t := d.clusterTarget()
			t.arn, t.tags = "*", nil
			out = append(out, t)
			continue
		case refs == nil && sort == "cluster":
			refs = []string{model.DefaultCluster}
		case refs == nil:
			refs = []string{"*"}
		}
		for _, ref := range refs {
			out = append(out, d.ecsTarget(tail, sort, ref))
		}
	}
	return out
}

// clusterTarget is the cluster of the request.
func (d *decider) clusterTarget() target {
	arn := d.clusterARN(d.one("cluster"))
	t := target{arn: arn, cluster: arn}
	t.tags = d.ecsTags(arn)
	return t
}

func (d *decider) clusterARN(ref string) string {
	switch {
	case ref == "":
		ref = model.DefaultCluster
	case strings.HasPrefix(ref, "arn:"):
		return ref
	}
	return d.Principal.Scope().ARN("ecs", "cluster/"+ref)
}

// ecsTarget is the thing that a reference names: tail says what its ARN looks like.
func (d *decider) ecsTarget(tail, sort, ref string) target {
	var t target
	cluster, _ := model.ParseARN(d.clusterARN(d.one("cluster")))
	kind, _, _ := strings.Cut(tail, "/")
	arn, isARN := model.ParseARN(ref)
	switch {
	case isARN && len(arn.Segments()) == 1 && strings.Count(tail, "{") == 2 && arn.Type() == kind && sort != "revision": // short
		arn.Tail = kind + "/" + nameOf(cluster.Tail) + "/" + arn.Segments()[0]
	case isARN:
	case sort == "revision":
		arn = model.ARN{Partition: "aws", Service: "ecs", Scope: d.Principal.Scope(), Tail: "task-definition/" + d.revision(ref)}
	default:
		names := map[string]string{"cluster": nameOf(cluster.Tail), sort: ref}
		if sort == "taskSet" {
			names["service"] = nameOf(d.one("service"))
		}
		if sort == "cluster" {
			cluster.Scope = d.Principal.Scope()
		}
		arn = model.ARN{Partition: "aws", Service: "ecs", Scope: cluster.Scope, Tail: filled(tail, names)}
	}
	t.arn = arn.String()
	if arn.Service == "" { // what the request names is no ARN at all
		t.arn = ref
	}
	t.tags = d.ecsTags(t.arn)
	t.cluster = cluster.String()
	switch segments := arn.Segments(); {
	case arn.Type() == "cluster":
		t.cluster = t.arn
	case len(segments) > 1 && sort != "revision":
		t.cluster = arn.Scope.ARN("ecs", "cluster/"+segments[0])
		if len(segments) > 2 || arn.Type() == "service" {
			t.service = arn.Scope.ARN("ecs", "service/"+segments[0]+"/"+segments[1])
		}
	}
	return t
}

// filled puts names into braces, and "*" where there is none.
func filled(tail string, names map[string]string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(tail, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		if v := names[name]; v != "" {
			b.WriteString(v)
		} else {
			b.WriteByte('*')
		}
		tail = after
	}
}

// revision is FAMILY:REVISION of a reference to a task definition: a family alone means its newest active revision.
func (d *decider) revision(ref string) string {
	family, number, _ := strings.Cut(ref, ":")
	if number != "" {
		return ref
	}
	if row := d.newest(family); row != nil {
		return row.Name()
	}
	return family + ":*"
}

// newest is the newest active revision of a family, nil if there is none.
func (d *decider) newest(family string) *model.TaskDefinition {
	s := d.Principal.Scope()
	f, ok := d.tables.Families.Get(s.Key(family))
	if !ok {
		return nil
	}
	for n := f.LastRevision; n > 0; n-- {
		if row, ok := d.tables.Definitions.Get(model.DefinitionKey(s, family, n)); ok && row.Status == model.DefinitionActive {
			return row
		}
	}
	return nil
}

// definition is the task definition that the request names, as passing its roles wants it; nil if there is none.
func (d *decider) definition() any {
	ref := d.one("taskDefinition")
	if a, ok := model.ParseARN(ref); ok && a.Type() == "task-definition" {
		ref = strings.TrimPrefix(a.Tail, "task-definition/")
	}
	family, number, _ := strings.Cut(ref, ":")
	if number == "" {
		if row := d.newest(family); row != nil {
			return &row.Spec
		}
		return nil
	}
	if _, err := strconv.ParseInt(number, 10, 32); err != nil {
		return nil
	}
	if row, ok := d.tables.Definition(d.Principal.Scope(), ref); ok {
		return &row.Spec
	}
	return nil
}

// ecsTags are the tags of the thing with the ARN, none if it does not exist.
func (d *decider) ecsTags(arn string) []model.Tag {
	a, ok := model.ParseARN(arn)
	if !ok {
		return nil
	}
	p := a.Segments()
	switch kind := a.Type(); {
	case kind == "cluster" && len(p) == 1:
		return tagsOf(d.tables.Clusters.Get, a.Scope.Key(p[0]), func(r *model.Cluster) []model.Tag { return r.Tags })
	case kind == "service" && len(p) == 2:
		return tagsOf(d.tables.Services.Get, model.ServiceKey(a.Scope, p[0], p[1]), func(r *model.Service) []model.Tag { return r.Tags })
	case kind == "task" && len(p) == 2:
		return tagsOf(d.tables.Tasks.Get, model.TaskKey(a.Scope, p[0], p[1]), func(r *model.Task) []model.Tag { return r.Tags })
	case kind == "container-instance" && len(p) == 2:
		return tagsOf(d.tables.Instances.Get, model.InstanceKey(a.Scope, p[0], p[1]), func(r *model.Instance) []model.Tag { return r.Tags })
	case kind == "task-set" && len(p) >= 3:
		return tagsOf(d.tables.TaskSets.Get, model.DeploymentKey(a.Scope, p[0], p[1], p[len(p)-1]), func(r *model.TaskSet) []model.Tag { return r.Tags })
	case kind == "capacity-provider" && len(p) == 1:
		return tagsOf(d.tables.Providers.Get, model.ProviderKey(a.Scope, p[0]), func(r *model.CapacityProvider) []model.Tag { return r.Tags })
	case kind == "task-definition" && len(p) == 1:
		if row, ok := d.tables.Definition(a.Scope, p[0]); ok {
			return row.Tags
		}
	}
	return nil
}

func tagsOf[R any](get func(string) (*R, bool), key string, tags func(*R) []model.Tag) []model.Tag {
	if row, ok := get(key); ok {
		return tags(row)
	}
	return nil
}

// tagged is what gets the tags of a request that makes something: the task and not its definition.
func (d *decider) tagged(t target) target {
	tail := ""
	switch d.Operation {
	case "RunTask", "StartTask":
		tail = "task/{cluster}/*"
	case "RegisterContainerInstance":
		tail = "container-instance/{cluster}/*"
	case "CreateTaskSet":
		tail = "task-set/{cluster}/" + nameOf(d.one("service")) + "/*"
	default:
		return t
	}
	cluster, _ := model.ParseARN(d.clusterARN(d.one("cluster")))
	return target{
		arn:     cluster.Scope.ARN("ecs", filled(tail, map[string]string{"cluster": nameOf(cluster.Tail)})),
		cluster: cluster.String(),
	}
}
