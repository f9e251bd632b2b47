package ecs

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// maxTags is the most user tags of a resource (SEMANTICS §16) [D].
const maxTags = 50

// readTags checks the tags of a request and returns them in its order (SEMANTICS §16).
func readTags(tags []types.Tag) ([]model.Tag, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	out := make([]model.Tag, 0, len(tags))
	for _, t := range tags {
		tag := model.Tag{Key: value(t.Key), Value: value(t.Value)}
		switch {
		case tag.Key == "" || utf8.RuneCountInString(tag.Key) > 128:
			return nil, invalid("Tag keys must be between 1 and 128 characters long.") // [I]
		case utf8.RuneCountInString(tag.Value) > 256:
			return nil, invalid("Tag values must be at most 256 characters long.") // [I]
		case reserved(tag.Key):
			return nil, errReservedTag()
		case slices.ContainsFunc(out, func(o model.Tag) bool { return o.Key == tag.Key }):
			return nil, invalid("Duplicate tag keys found. Tag keys must be unique.") // [I]
		}
		out = append(out, tag)
	}
	return out, checkTagCount(out)
}

// reserved reports whether only AWS itself may write the tag.
func reserved(key string) bool { return len(key) >= 4 && strings.EqualFold(key[:4], "aws:") }

func errReservedTag() error {
	return invalid("aws: prefixed tag key names are not allowed for external use.") // [O], worded so across AWS
}

// checkTagCount counts the user's tags; aws: tags do not count (SEMANTICS §16).
func checkTagCount(tags []model.Tag) error {
	n := 0
	for _, t := range tags {
		if !reserved(t.Key) {
			n++
		}
	}
	if n > maxTags {
		return invalid("A resource can have at most %d tags.", maxTags) // [I]
	}
	return nil
}

// taggable is a row with tags, found by ARN.
type taggable struct {
	tags []model.Tag
	put  func(*state.Tx, []model.Tag)
}

// findTaggable returns the resource with the ARN (SEMANTICS §2.8).
func findTaggable(t *state.Tables, s model.Scope, ref string) (taggable, error) {
	arn, ok := model.ParseARN(ref)
	if !ok || arn.Service != "ecs" {
		return taggable{}, invalid("The ARN '%s' is not valid.", ref) // [I]
	}
	if arn.Scope != s {
		return taggable{}, errNoResource(arn)
	}
	p := arn.Segments()
	switch kind := arn.Type(); {
	case (kind == "task" || kind == "container-instance" || kind == "service") && len(p) == 1:
		return taggable{}, invalid("Long arn format must be used for tagging operations") // [O]
	case kind == "cluster" && len(p) == 1:
		return taggableCluster(t, s, p[0])
	case kind == "task" && len(p) == 2:
		if row, ok := t.Tasks.Get(model.TaskKey(s, p[0], p[1])); ok {
			return taggable{row.Tags, func(tx *state.Tx, tags []model.Tag) { r := *row; r.Tags = tags; tx.Tasks.Put(&r) }}, nil
		}
	case kind == "container-instance" && len(p) == 2:
		if row, ok := t.Instances.Get(model.InstanceKey(s, p[0], p[1])); ok {
			return taggable{row.Tags, func(tx *state.Tx, tags []model.Tag) { r := *row; r.Tags = tags; tx.Instances.Put(&r) }}, nil
		}
	case kind == "service" && len(p) == 2:
		if row, ok := t.Services.Get(model.ServiceKey(s, p[0], p[1])); ok && row.Status != model.ServiceInactive {
			return taggable{row.Tags, func(tx *state.Tx, tags []model.Tag) { r := *row; r.Tags = tags; tx.Services.Put(&r) }}, nil
		}
	case kind == "task-set" && len(p) == 4:
		if row, ok := t.TaskSets.Get(model.DeploymentKey(s, p[0], p[1], p[3])); ok && row.ARN() == ref {
			return taggable{row.Tags, func(tx *state.Tx, tags []model.Tag) { r := *row; r.Tags = tags; tx.TaskSets.Put(&r) }}, nil
		}
	case kind == "capacity-provider" && len(p) == 1:
		if row, ok := t.Providers.Get(model.ProviderKey(s, p[0])); ok && row.Status == model.ProviderActive {
			return taggable{row.Tags, func(tx *state.Tx, tags []model.Tag) { r := *row; r.Tags = tags; tx.Providers.Put(&r) }}, nil
		}
	case kind == "task-definition":
		ref := parseDefinitionRef(s, ref)
		if row, ok := findDefinition(t, s, ref); ok && ref.revision != 0 {
			return taggable{row.Tags, func(tx *state.Tx, tags []model.Tag) { r := *row; r.Tags = tags; tx.Definitions.Put(&r) }}, nil
		}
	}
	return taggable{}, errNoResource(arn)
}

func taggableCluster(t *state.Tables, s model.Scope, name string) (taggable, error) {
	row, ok := t.Clusters.Get(model.ClusterKey(s, name))
	switch {
	case !ok:
		return taggable{}, errClusterNotFound()
	case row.Status == model.ClusterInactive:
		return taggable{}, invalid("The specified cluster is inactive. Specify an active cluster and try again.") // [O]
	}
	return taggable{row.Tags, func(tx *state.Tx, tags []model.Tag) { r := *row; r.Tags = tags; tx.Clusters.Put(&r) }}, nil
}

// errNoResource is the answer for an ARN of nothing; a cluster has an exception of its own.
func errNoResource(arn model.ARN) error {
	if arn.Type() == "cluster" {
		return errClusterNotFound()
	}
	return invalid("The specified resource does not exist. Specify a valid resource ARN and try again.") // [O, first sentence]
}

func (a *api) tagResource(ctx context.Context, in *sdk.TagResourceInput) (*sdk.TagResourceOutput, error) {
	news, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &sdk.TagResourceOutput{}, a.retag(ctx, in.ResourceArn, func(have []model.Tag) ([]model.Tag, error) {
		tags := model.MergeTags(have, news)
		return tags, checkTagCount(tags)
	})
}

func (a *api) untagResource(ctx context.Context, in *sdk.UntagResourceInput) (*sdk.UntagResourceOutput, error) {
	if slices.ContainsFunc(in.TagKeys, reserved) {
		return nil, errReservedTag()
	}
	return &sdk.UntagResourceOutput{}, a.retag(ctx, in.ResourceArn, func(have []model.Tag) ([]model.Tag, error) {
		return slices.DeleteFunc(slices.Clone(have), func(t model.Tag) bool { return slices.Contains(in.TagKeys, t.Key) }), nil
	})
}

// retag changes the tags of one resource. Tagging is idempotent (SEMANTICS §1.5).
func (a *api) retag(ctx context.Context, arn *string, change func([]model.Tag) ([]model.Tag, error)) error {
	who, err := principal(ctx)
	if err != nil {
		return err
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		r, err := findTaggable(tx.Tables, who.Scope(), value(arn))
		if err != nil {
			return err
		}
		tags, err := change(r.tags)
		if err == nil && !slices.Equal(tags, r.tags) {
			r.put(tx, tags)
		}
		return err
	})
}

func (a *api) listTags(ctx context.Context, in *sdk.ListTagsForResourceInput) (*sdk.ListTagsForResourceOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	r, err := findTaggable(a.DB.Snapshot().Tables, who.Scope(), value(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	return &sdk.ListTagsForResourceOutput{Tags: tagViews(r.tags)}, nil
}
