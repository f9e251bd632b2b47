package ecr

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/roadstead/roadstead/wire"
)

// Page sizes of all ECR listings [D].
const (
	defaultPage = 100
	maxPage     = 1000
)

// pageOf returns the page of a listing that begins after the token's key, and the token of the next. Items come in the
// order of their keys, which differ. The token is bound to filters: the request, and whose it is.
func pageOf[T any](op string, filters any, items []T, key func(T) string, maxResults *int32, token *string) ([]T, *string, error) {
	size := defaultPage
	if maxResults != nil {
		if size = int(*maxResults); size < 1 || size > maxPage {
			return nil, nil, invalid("maxResults", "Member must have value between 1 and 1000")
		}
	}
	if value(token) != "" {
		last, err := wire.ParsePageToken(op, filters, *token)
		if err != nil {
			return nil, nil, err
		}
		for len(items) > 0 && key(items[0]) <= last {
			items = items[1:]
		}
	}
	if len(items) <= size {
		return items, nil, nil
	}
	items = items[:size]
	return items, aws.String(wire.PageToken(op, filters, key(items[size-1]))), nil
}
