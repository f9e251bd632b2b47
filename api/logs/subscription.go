package logs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/model"
)

// maxSubscriptions is how many filters a group may have [D].
const maxSubscriptions = 2

// putSubscriptionFilter stores a filter, after its destination has taken a first message [D]. Destinations are URLs, where AWS has ARNs.
func (a *API) putSubscriptionFilter(ctx context.Context, in *cloudwatchlogs.PutSubscriptionFilterInput) (*cloudwatchlogs.PutSubscriptionFilterOutput, error) {
	if _, err := parsePattern(in.FilterPattern); err != nil {
		return nil, err
	}
	if err := checkSubscription(in); err != nil {
		return nil, err
	}
	row, err := a.find(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	f := model.LogSubscription{
		Name: *in.FilterName, ID: a.NewID(), Pattern: *in.FilterPattern, Destination: *in.DestinationArn,
		Distribution: string(in.Distribution), Role: value(in.RoleArn), CreatedAt: a.now(),
	}
	put := func(r *model.LogGroup) error { return putSubscription(r, f) }
	if err := put(new(*row)); err != nil { // before anything is sent
		return nil, err
	}
	if err := a.Check(ctx, f.Destination); err != nil {
		if _, told := errors.AsType[*model.Error](err); told {
			return nil, err
		}
		a.Log.Warn("the destination of a subscription filter does not take messages", "destination", f.Destination, "err", err)
		return nil, invalid("Could not deliver test message to specified destination. Check if the destination is valid.") // [I] after those for ARNs
	}
	return &cloudwatchlogs.PutSubscriptionFilterOutput{}, a.change(ctx, in.LogGroupName, put)
}

// putSubscription adds a filter to a row, or changes the one of its name: it goes on where it was.
func putSubscription(r *model.LogGroup, f model.LogSubscription) error {
	r.Subscriptions = slices.Clone(r.Subscriptions)
	i, found := slices.BinarySearchFunc(r.Subscriptions, f.Name, subscriptionByName)
	switch {
	case r.Class != string(types.LogGroupClassStandard): // [D]; the words are [I]
		return model.Errorf("InvalidOperationException", "Subscription filters are available for log groups of the class STANDARD only.")
	case found:
		f.ID, f.CreatedAt = r.Subscriptions[i].ID, r.Subscriptions[i].CreatedAt
		r.Subscriptions[i] = f
	case len(r.Subscriptions) >= maxSubscriptions:
		return model.Errorf("LimitExceededException", "Resource limit exceeded.") // [O]
	default:
		r.Subscriptions = slices.Insert(r.Subscriptions, i, f)
	}
	return nil
}

func subscriptionByName(f model.LogSubscription, name string) int {
	return strings.Compare(f.Name, name)
}

func checkSubscription(in *cloudwatchlogs.PutSubscriptionFilterInput) error {
	if name := *in.FilterName; name == "" || len(name) > 512 || strings.ContainsAny(name, ":*") {
		return violation(name, "filterName", "Member must satisfy regular expression pattern: [^:*]*")
	}
	switch d := *in.DestinationArn; {
	case in.FieldSelectionCriteria != nil || len(in.EmitSystemFields) > 0 || in.ApplyOnTransformedLogs:
		return model.Errorf("UnsupportedFeatureException",
			"Roadstead serves subscription filters without fieldSelectionCriteria, emitSystemFields and applyOnTransformedLogs.")
	case in.Distribution != "" && !slices.Contains(in.Distribution.Values(), in.Distribution):
		return violation(in.Distribution, "distribution", "Member must satisfy enum value set: [Random, ByLogStream]")
	case d == "":
		return violation(d, "destinationArn", "Member must have length greater than or equal to 1")
	case strings.HasPrefix(d, "arn:"):
		arn, _ := model.ParseARN(d)
		return invalid("PutSubscriptionFilter operation cannot work with destinationArn for vendor %s", arn.Service) // [O] of other vendors
	case !strings.HasPrefix(d, "https://") && !strings.HasPrefix(d, "http://") || len(d) > 2048:
		return violation(d, "destinationArn", "Member must be a https:// URL of at most 2048 characters") // ours: AWS has ARNs
	}
	return nil
}

func (a *API) deleteSubscriptionFilter(ctx context.Context, in *cloudwatchlogs.DeleteSubscriptionFilterInput) (
	*cloudwatchlogs.DeleteSubscriptionFilterOutput, error,
) {
	return &cloudwatchlogs.DeleteSubscriptionFilterOutput{}, a.change(ctx, in.LogGroupName, func(r *model.LogGroup) error {
		i, found := slices.BinarySearchFunc(r.Subscriptions, *in.FilterName, subscriptionByName)
		if !found {
			return model.Errorf("ResourceNotFoundException", "The specified subscription filter does not exist.") // [I] as of metric filters
		}
		r.Subscriptions = slices.Delete(slices.Clone(r.Subscriptions), i, i+1)
		return nil
	})
}

func (a *API) describeSubscriptionFilters(ctx context.Context, in *cloudwatchlogs.DescribeSubscriptionFiltersInput) (
	*cloudwatchlogs.DescribeSubscriptionFiltersOutput, error,
) {
	size, err := limit(in.Limit, "limit", 50, 50)
	if err != nil {
		return nil, err
	}
	row, err := a.find(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	filters := slices.DeleteFunc(slices.Clone(row.Subscriptions), func(f model.LogSubscription) bool {
		return !strings.HasPrefix(f.Name, value(in.FilterNamePrefix))
	})
	out := &cloudwatchlogs.DescribeSubscriptionFiltersOutput{SubscriptionFilters: []types.SubscriptionFilter{}}
	filters, out.NextToken, err = pageOf("DescribeSubscriptionFilters", []string{row.ID, value(in.FilterNamePrefix)}, filters,
		func(f model.LogSubscription) string { return f.Name }, size, in.NextToken)
	for _, f := range filters {
		shown := types.SubscriptionFilter{
			CreationTime: aws.Int64(f.CreatedAt), DestinationArn: aws.String(f.Destination), Distribution: types.Distribution(f.Distribution),
			FilterName: aws.String(f.Name), FilterPattern: aws.String(f.Pattern), LogGroupName: aws.String(row.Name),
		}
		if shown.Distribution == "" {
			shown.Distribution = types.DistributionByLogStream // [D] the usual one
		}
		if f.Role != "" {
			shown.RoleArn = aws.String(f.Role)
		}
		out.SubscriptionFilters = append(out.SubscriptionFilters, shown)
	}
	return out, err
}
