package logs

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// pageOf returns the page of a listing that begins behind the token's key, and the token of the next. Items come in the order of
// their keys, which differ. The token is bound to filters: what was asked for, and whose it is.
func pageOf[T any](op string, filters []string, items []T, key func(T) string, size int, token *string) ([]T, *string, error) {
	return pageBy(op, filters, items, key, strings.Compare, size, token)
}

// pageBy is pageOf for listings in another order of their keys. The item of the token may be gone, or elsewhere in the list by now.
func pageBy[T any](op string, filters []string, items []T, key func(T) string, order func(a, b string) int, size int, token *string) ([]T, *string, error) {
	if token != nil {
		last, err := parseToken(op, filters, *token)
		if err != nil {
			return nil, nil, err
		}
		items = slices.DeleteFunc(items, func(i T) bool { return order(key(i), last) <= 0 })
	}
	if len(items) <= size {
		return items, nil, nil
	}
	items = items[:size]
	return items, aws.String(wire.PageToken(op, filters, key(items[size-1]))), nil
}

// latestFirst is a key in whose order what was made later comes first.
func latestFirst(at model.Millis, id string) string {
	return fmt.Sprintf("%019d %s", math.MaxInt64-at, id)
}

func parseToken(op string, filters any, token string) (string, error) {
	last, err := wire.ParsePageToken(op, filters, token)
	if err != nil {
		return "", model.Errorf("InvalidParameterException", "The specified nextToken is invalid.") // [O]
	}
	return last, nil
}
