package ecr

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
)

// maxTags is how many tags a repository may have [D].
const maxTags = 50

func readTags(tags []types.Tag) ([]model.Tag, error) {
	var out []model.Tag
	for _, t := range tags {
		tag := model.Tag{Key: value(t.Key), Value: value(t.Value)}
		switch {
		case tag.Key == "" || utf8.RuneCountInString(tag.Key) > 128 || utf8.RuneCountInString(tag.Value) > 256:
			return nil, model.Errorf("InvalidTagParameterException", "Tag keys can have a maximum character length of 128 "+
				"characters, and tag values can have a maximum length of 256 characters.")
		case len(tag.Key) >= 4 && strings.EqualFold(tag.Key[:4], "aws:"):
			return nil, model.Errorf("InvalidTagParameterException", "aws: prefixed tag key names are not allowed for external use.")
		case slices.ContainsFunc(out, func(o model.Tag) bool { return o.Key == tag.Key }):
			return nil, model.Errorf("InvalidTagParameterException", "Duplicate tag keys found. Tag keys must be unique.")
		}
		out = append(out, tag)
	}
	if len(out) > maxTags {
		return nil, errTooManyTags()
	}
	return out, nil
}

func (a *API) tagResource(ctx context.Context, in *ecr.TagResourceInput) (*ecr.TagResourceOutput, error) {
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	_, err = a.changeByARN(ctx, in.ResourceArn, func(r *model.Repository) error {
		merged := slices.Clone(r.Tags)
		for _, t := range tags {
			if i := slices.IndexFunc(merged, func(o model.Tag) bool { return o.Key == t.Key }); i >= 0 {
				merged[i] = t
			} else {
				merged = append(merged, t)
			}
		}
		if len(merged) > maxTags {
			return errTooManyTags()
		}
		r.Tags = merged
		return nil
	})
	return &ecr.TagResourceOutput{}, err
}

func (a *API) untagResource(ctx context.Context, in *ecr.UntagResourceInput) (*ecr.UntagResourceOutput, error) {
	_, err := a.changeByARN(ctx, in.ResourceArn, func(r *model.Repository) error {
		r.Tags = slices.DeleteFunc(slices.Clone(r.Tags), func(t model.Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return nil
	})
	return &ecr.UntagResourceOutput{}, err
}

func (a *API) changeByARN(ctx context.Context, arn *string, f func(*model.Repository) error) (*model.Repository, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	name, err := parseARN(p.Scope(), value(arn))
	if err != nil {
		return nil, err
	}
	return a.change(ctx, nil, &name, f)
}

func (a *API) listTagsForResource(ctx context.Context, in *ecr.ListTagsForResourceInput) (*ecr.ListTagsForResourceOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	name, err := parseARN(p.Scope(), value(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	row, err := a.find(ctx, nil, &name)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListTagsForResourceOutput{Tags: []types.Tag{}}
	for _, t := range row.Tags {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return out, nil
}
