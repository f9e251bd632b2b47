package logs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/roadstead/roadstead/model"
)

// maxTags is how many tags a group may have [D].
const maxTags = 50

// mergeTags adds tags, by key.
func mergeTags(have []model.Tag, add map[string]string) ([]model.Tag, error) {
	merged := slices.Clone(have)
	for _, key := range slices.Sorted(maps.Keys(add)) {
		tag := model.Tag{Key: key, Value: add[key]}
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128:
			return nil, violation(key, "tags", "Map keys must satisfy constraint: [Member must have length between 1 and 128]")
		case utf8.RuneCountInString(tag.Value) > 256:
			return nil, violation(tag.Value, "tags", "Map value must satisfy constraint: [Member must have length less than or equal to 256]")
		case len(key) >= 4 && strings.EqualFold(key[:4], "aws:"):
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.") // [I]
		}
		if i := slices.IndexFunc(merged, func(o model.Tag) bool { return o.Key == key }); i >= 0 {
			merged[i] = tag
		} else {
			merged = append(merged, tag)
		}
	}
	if len(merged) > maxTags {
		return nil, model.Errorf("TooManyTagsException", "The log group has too many tags. The maximum is %d.", maxTags) // [I]
	}
	return merged, nil
}

func (a *API) tag(ctx context.Context, group *string, tags map[string]string) error {
	return a.change(ctx, group, func(r *model.LogGroup) (err error) {
		r.Tags, err = mergeTags(r.Tags, tags)
		return err
	})
}

func (a *API) untag(ctx context.Context, group *string, keys []string) error {
	return a.change(ctx, group, func(r *model.LogGroup) error {
		r.Tags = slices.DeleteFunc(slices.Clone(r.Tags), func(t model.Tag) bool { return slices.Contains(keys, t.Key) })
		return nil
	})
}

func (a *API) tags(ctx context.Context, group *string) (map[string]string, error) {
	row, err := a.find(ctx, group)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, t := range row.Tags {
		out[t.Key] = t.Value
	}
	return out, nil
}

// byARN returns the name of the group that an ARN names.
func (a *API) byARN(ctx context.Context, arn *string) (*string, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(value(arn), "arn:") {
		return nil, violation(value(arn), "resourceArn", "Member must satisfy regular expression pattern: [\\w+=/:,.@-]*") // [I]
	}
	name, err := groupOf(s, *arn)
	return &name, err
}

func (a *API) tagLogGroup(ctx context.Context, in *cloudwatchlogs.TagLogGroupInput) (*cloudwatchlogs.TagLogGroupOutput, error) {
	return &cloudwatchlogs.TagLogGroupOutput{}, a.tag(ctx, in.LogGroupName, in.Tags)
}

func (a *API) untagLogGroup(ctx context.Context, in *cloudwatchlogs.UntagLogGroupInput) (*cloudwatchlogs.UntagLogGroupOutput, error) {
	return &cloudwatchlogs.UntagLogGroupOutput{}, a.untag(ctx, in.LogGroupName, in.Tags)
}

func (a *API) listTagsLogGroup(ctx context.Context, in *cloudwatchlogs.ListTagsLogGroupInput) (*cloudwatchlogs.ListTagsLogGroupOutput, error) {
	tags, err := a.tags(ctx, in.LogGroupName)
	return &cloudwatchlogs.ListTagsLogGroupOutput{Tags: tags}, err
}

func (a *API) tagResource(ctx context.Context, in *cloudwatchlogs.TagResourceInput) (*cloudwatchlogs.TagResourceOutput, error) {
	name, err := a.byARN(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.TagResourceOutput{}, a.tag(ctx, name, in.Tags)
}

func (a *API) untagResource(ctx context.Context, in *cloudwatchlogs.UntagResourceInput) (*cloudwatchlogs.UntagResourceOutput, error) {
	name, err := a.byARN(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.UntagResourceOutput{}, a.untag(ctx, name, in.TagKeys)
}

func (a *API) listTagsForResource(ctx context.Context, in *cloudwatchlogs.ListTagsForResourceInput) (*cloudwatchlogs.ListTagsForResourceOutput, error) {
	name, err := a.byARN(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := a.tags(ctx, name)
	return &cloudwatchlogs.ListTagsForResourceOutput{Tags: tags}, err
}
