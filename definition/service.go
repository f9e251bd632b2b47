package definition

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// NewServiceTask is NewTask for the tasks of a service's revision, of which d is the definition: complete but for the capacity
// provider, ids and place. Images are pinned to the revision's digests (SEMANTICS §8.4).
func NewServiceTask(s *model.Service, r *model.Revision, d *model.TaskDefinition, launchType string) model.Task {
	t := NewTask(d, &d.Spec, launchType)
	t.Cluster, t.Group, t.StartedBy = s.Cluster, s.Group(), model.DeploymentName(r.ID)
	t.PropagateTags, t.EnableManagedTags = string(s.Settings.PropagateTags), s.Settings.EnableECSManagedTags
	t.ExecEnabled, t.Tags = s.Settings.EnableExecuteCommand, serviceTags(s, d)
	t.Constraints, t.Strategy = servicePlacement(s, &d.Spec)
	if launchType == string(types.LaunchTypeFargate) {
		t.PlatformVersion = deref(r.Spec.PlatformVersion)
	}
	if n := r.Spec.NetworkConfiguration; n != nil && n.AwsvpcConfiguration != nil && t.Network == string(types.NetworkModeAwsvpc) {
		t.Subnets, t.SecurityGroups = n.AwsvpcConfiguration.Subnets, n.AwsvpcConfiguration.SecurityGroups
		t.AssignPublicIP = cmp.Or(string(n.AwsvpcConfiguration.AssignPublicIp), string(types.AssignPublicIpDisabled))
	}
	for i := range t.Containers {
		c := &t.Containers[i]
		for _, p := range r.Images {
			if p.Container == c.Name && p.Image == c.Image {
				c.Digest = p.Digest
			}
		}
	}
	return t
}

// serviceTags are those that a task gets from its service or definition, and from ECS itself (SEMANTICS §16).
func serviceTags(s *model.Service, d *model.TaskDefinition) []model.Tag {
	var tags []model.Tag
	switch s.Settings.PropagateTags {
	case types.PropagateTagsService:
		tags = slices.Clone(s.Tags)
	case types.PropagateTagsTaskDefinition:
		tags = slices.Clone(d.Tags)
	}
	if s.Settings.EnableECSManagedTags {
		tags = append(tags, model.Tag{Key: model.TagClusterName, Value: s.Cluster}, model.Tag{Key: model.TagServiceName, Value: s.Name})
	}
	return tags
}

// servicePlacement is where a service's tasks may go, and where they should: if it does not say, spread over the zones, and
// there where it has the fewest (SEMANTICS §5.4) [D].
func servicePlacement(s *model.Service, spec *types.TaskDefinition) ([]model.PlacementConstraint, []model.PlacementStrategy) {
	constraints := Constraints(spec)
	for _, c := range s.Settings.PlacementConstraints {
		constraints = append(constraints, model.PlacementConstraint{Type: string(c.Type), Expression: deref(c.Expression)})
	}
	if s.Scheduling == model.SchedulingDaemon {
		return constraints, nil
	}
	return constraints, ServiceStrategy(s)
}

// ServiceStrategy is by what a REPLICA service's tasks are placed, and chosen when some have to stop.
func ServiceStrategy(s *model.Service) []model.PlacementStrategy {
	var out []model.PlacementStrategy
	for _, p := range s.Settings.PlacementStrategy {
		out = append(out, model.PlacementStrategy{Type: string(p.Type), Field: deref(p.Field)})
	}
	if len(out) == 0 {
		return []model.PlacementStrategy{{Type: model.StrategySpread, Field: model.FieldAttribute + "ecs.availability-zone"},
			{Type: model.StrategySpread, Field: model.FieldInstance}}
	}
	return out
}

// Pin returns the revision's images with those that its tasks, the oldest first, have pulled meanwhile (SEMANTICS §8.4); nil
// if there is nothing new. Containers that opt out, and images that name their digest, are not pinned.
func Pin(spec *types.TaskDefinition, have []model.PinnedImage, tasks iter.Seq[*model.Task]) []model.PinnedImage {
	open := map[string]string{} // images by container
	for i := range spec.ContainerDefinitions {
		c := &spec.ContainerDefinitions[i]
		pinned := slices.ContainsFunc(have, func(p model.PinnedImage) bool { return p.Container == deref(c.Name) })
		if !pinned && c.VersionConsistency != types.VersionConsistencyDisabled && !strings.Contains(deref(c.Image), "@") {
			open[deref(c.Name)] = deref(c.Image)
		}
	}
	if len(open) == 0 {
		return nil
	}
	var found []model.PinnedImage
	for t := range tasks {
		for i := range t.Containers {
			c := &t.Containers[i]
			if image, ok := open[c.Name]; ok && c.Digest != "" {
				found = append(found, model.PinnedImage{Container: c.Name, Image: image, Digest: c.Digest})
				delete(open, c.Name)
			}
		}
		if len(open) == 0 {
			break
		}
	}
	if len(found) == 0 {
		return nil
	}
	return append(slices.Clone(have), found...)
}
