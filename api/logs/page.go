package logs

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// pageOf returns the page of a listing that begins behind the token's key, and the token of the next. Items come in the order of
// their keys, which differ. The token is bound to filters: what was asked for, and whose it is.
func pageOf[T any](op string, filters []string, items []T, key func(T) string, size int, token *string) ([]T, *string, error) {
	if token != nil {
		last, err := parseToken(op, filters, *token)
		if err != nil {
			return nil, nil, err
		}
		for i := range items {
			if key(items[i]) == last {
				items = items[i+1:]
				break
			}
			if i == len(items)-1 { // it is gone: what comes behind cannot be told in every order
				items = behind(items, key, last)
			}
		}
	}
	if len(items) <= size {
		return items, nil, nil
	}
	items = items[:size]
	return items, aws.String(wire.PageToken(op, filters, key(items[size-1]))), nil
}

// behind drops the items whose keys are not greater.
func behind[T any](items []T, key func(T) string, last string) []T {
	var rest []T
	for _, i := range items {
		if key(i) > last {
			rest = append(rest, i)
		}
	}
	return rest
}

func parseToken(op string, filters any, token string) (string, error) {
	last, err := wire.ParsePageToken(op, filters, token)
	if err != nil {
		return "", model.Errorf("InvalidParameterException", "The specified nextToken is invalid.") // [O]
	}
	return last, nil
}
