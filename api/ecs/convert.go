package ecs

import (
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// value is what the pointer points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// text is a member that is absent when empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// moment is a time member that is absent when it has not come yet.
func moment(m model.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := time.UnixMilli(m).UTC()
	return &t
}

func millis(t *time.Time) model.Millis {
	if t == nil {
		return 0
	}
	return t.UnixMilli()
}

// list is a list member that is always present: AWS says [] (CLIENTS.md: absent versus empty).
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

func tagViews(tags []model.Tag) []types.Tag {
	out := make([]types.Tag, len(tags))
	for i := range tags {
		out[i] = types.Tag{Key: &tags[i].Key, Value: &tags[i].Value}
	}
	return out
}

func pairViews(details []model.Tag) []types.KeyValuePair {
	out := make([]types.KeyValuePair, len(details))
	for i := range details {
		out[i] = types.KeyValuePair{Name: &details[i].Key, Value: &details[i].Value}
	}
	return out
}

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
