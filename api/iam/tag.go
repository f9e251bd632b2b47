package iam

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
)

// maxTags is how many tags an entity may have [D].
const maxTags = 50

// readTags checks the tags of a request and returns them in its order.
func readTags(tags []types.Tag) ([]model.Tag, error) {
	var out []model.Tag
	for _, t := range tags {
		tag := model.Tag{Key: value(t.Key), Value: value(t.Value)}
		switch {
		case tag.Key == "" || utf8.RuneCountInString(tag.Key) > 128:
			return nil, errConstraint(tag.Key, "tags.1.member.key", "Member must have length between 1 and 128") // [I]
		case utf8.RuneCountInString(tag.Value) > 256:
			return nil, errConstraint(tag.Value, "tags.1.member.value", "Member must have length less than or equal to 256") // [I]
		case reserved(tag.Key):
			return nil, model.Errorf("InvalidInput", "Tag keys that begin with aws: are reserved for use by AWS.") // [I]
		case slices.ContainsFunc(out, func(o model.Tag) bool { return strings.EqualFold(o.Key, tag.Key) }):
			return nil, model.Errorf("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.") // [O]
		}
		out = append(out, tag)
	}
	return out, checkTagCount(out)
}

func reserved(key string) bool { return len(key) >= 4 && strings.EqualFold(key[:4], "aws:") }

func checkTagCount(tags []model.Tag) error {
	if len(tags) > maxTags {
		return model.Errorf("LimitExceeded", "The number of tags has reached the maximum limit of %d.", maxTags) // [I]
	}
	return nil
}

// tag adds tags; keys do not differ by case [D].
func tag(have, news []model.Tag) ([]model.Tag, error) {
	have = slices.DeleteFunc(slices.Clone(have), func(t model.Tag) bool {
		return slices.ContainsFunc(news, func(n model.Tag) bool { return strings.EqualFold(n.Key, t.Key) })
	})
	have = append(have, news...)
	return have, checkTagCount(have)
}

func untag(have []model.Tag, keys []string) []model.Tag {
	return slices.DeleteFunc(slices.Clone(have), func(t model.Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

func tagViews(tags []model.Tag) []types.Tag {
	var out []types.Tag
	for _, t := range tags {
		out = append(out, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return out
}

// tagPage is a page of tags, by key.
func tagPage(op string, filters any, tags []model.Tag, maxItems *int32, marker *string) ([]types.Tag, page, error) {
	sorted := slices.SortedFunc(slices.Values(tags), func(a, b model.Tag) int { return strings.Compare(a.Key, b.Key) })
	some, p, err := pageOf(op, filters, sorted, func(t model.Tag) string { return t.Key }, maxItems, marker)
	out := tagViews(some)
	if out == nil {
		out = []types.Tag{}
	}
	return out, p, err
}
