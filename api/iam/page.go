package iam

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// Page sizes of all IAM listings [D].
const (
	defaultPage = 100
	maxPage     = 1000
)

// page is how far a listing goes: IsTruncated and Marker of an answer.
type page struct {
	truncated bool
	marker    *string
}

// pageOf returns the page of a listing that begins after the marker's key. Items come in the order of their keys, which differ.
// The marker is bound to filters: the request, and whose it is.
func pageOf[T any](op string, filters any, items []T, key func(T) string, maxItems *int32, marker *string) ([]T, page, error) {
	size := defaultPage
	if maxItems != nil {
		if size = int(*maxItems); size < 1 {
			return nil, page{}, errConstraint(decimal(size), "maxItems", "Member must have value greater than or equal to 1")
		} else if size > maxPage {
			return nil, page{}, errConstraint(decimal(size), "maxItems", "Member must have value less than or equal to 1000")
		}
	}
	if value(marker) != "" {
		last, err := wire.ParsePageToken(op, filters, *marker)
		if err != nil {
			return nil, page{}, model.Errorf("ValidationError", "Invalid Marker.") // [I]
		}
		for len(items) > 0 && key(items[0]) <= last {
			items = items[1:]
		}
	}
	if len(items) <= size {
		return items, page{}, nil
	}
	items = items[:size]
	return items, page{true, aws.String(wire.PageToken(op, filters, key(items[size-1])))}, nil
}

func decimal(n int) string { return strconv.Itoa(n) }
