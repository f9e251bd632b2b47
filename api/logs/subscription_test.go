package logs_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

func subscription(name, destination string) *sdk.PutSubscriptionFilterInput {
	return &sdk.PutSubscriptionFilterInput{LogGroupName: aws.String("g"), FilterName: &name, FilterPattern: aws.String("ERROR"), DestinationArn: &destination}
}

// A group has at most two filters, whose destinations have taken a message [D].
func TestSubscriptionFilters(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g")
	for _, name := range []string{"b", "a", "b"} {
		_, err := w.PutSubscriptionFilter(t.Context(), subscription(name, "https://logs.example/in"))
		must(t, err)
		w.Advance(1000000)
	}
	_, err := w.PutSubscriptionFilter(t.Context(), subscription("c", "https://logs.example/in"))
	wantError(t, err, "LimitExceededException", "Resource limit exceeded.")
	if len(w.checked) != 3 {
		t.Errorf("sent to %v: a filter that is refused sends nothing", w.checked)
	}
	list := func(prefix *string) []types.SubscriptionFilter {
		out, err := w.DescribeSubscriptionFilters(t.Context(), &sdk.DescribeSubscriptionFiltersInput{LogGroupName: aws.String("g"), FilterNamePrefix: prefix})
		must(t, err)
		return out.SubscriptionFilters
	}
	all := list(nil)
	if len(all) != 2 || *all[0].FilterName != "a" || *all[1].DestinationArn != "https://logs.example/in" || *all[1].CreationTime != begin.UnixMilli() ||
		*all[0].CreationTime != begin.UnixMilli()+1 || all[0].Distribution != types.DistributionByLogStream || *all[0].LogGroupName != "g" || all[0].RoleArn != nil {
		t.Errorf("got %+v", all)
	}
	if one := list(aws.String("b")); len(one) != 1 || *one[0].FilterName != "b" {
		t.Errorf("got %+v", one)
	}
	_, err = w.PutSubscriptionFilter(t.Context(), subscription("a", "https://nobody.example/"))
	wantError(t, err, "InvalidParameterException", "Could not deliver test message to specified destination. Check if the destination is valid.")
	if got := list(aws.String("a")); *got[0].DestinationArn != "https://logs.example/in" {
		t.Errorf("a refused change has changed something: %+v", got)
	}
	_, err = w.DeleteSubscriptionFilter(t.Context(), &sdk.DeleteSubscriptionFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("a")})
	must(t, err)
	_, err = w.DeleteSubscriptionFilter(t.Context(), &sdk.DeleteSubscriptionFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("a")})
	wantError(t, err, "ResourceNotFoundException", "The specified subscription filter does not exist.")
}

func TestSubscriptionFiltersRefused(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g")
	for destination, text := range map[string]string{
		"arn:aws:kinesis:us-east-1:000000000000:stream/s":    "PutSubscriptionFilter operation cannot work with destinationArn for vendor kinesis",
		"arn:aws:lambda:us-east-1:000000000000:function:f":   "PutSubscriptionFilter operation cannot work with destinationArn for vendor lambda",
		"arn:aws:firehose:us-east-1:000000000000:delivery/d": "PutSubscriptionFilter operation cannot work with destinationArn for vendor firehose",
		"ftp://x":               "'destinationArn'",
		"http://plain.example/": "The operator has not allowed http://plain.example/.",
	} {
		_, err := w.PutSubscriptionFilter(t.Context(), subscription("f", destination))
		wantError(t, err, "InvalidParameterException", text)
	}
	in := subscription("f", "https://logs.example/in")
	in.FilterPattern = aws.String("a:b")
	_, err := w.PutSubscriptionFilter(t.Context(), in)
	wantError(t, err, "InvalidParameterException", "Invalid filter pattern")
	in = subscription("f:g", "https://logs.example/in")
	_, err = w.PutSubscriptionFilter(t.Context(), in)
	wantError(t, err, "InvalidParameterException", "'filterName'")
	in = subscription("f", "https://logs.example/in")
	in.LogGroupName = aws.String("none")
	_, err = w.PutSubscriptionFilter(t.Context(), in)
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = w.CreateLogGroup(t.Context(), &sdk.CreateLogGroupInput{LogGroupName: aws.String("rare"), LogGroupClass: types.LogGroupClassInfrequentAccess})
	must(t, err)
	in = subscription("f", "https://logs.example/in")
	in.LogGroupName = aws.String("rare")
	_, err = w.PutSubscriptionFilter(t.Context(), in)
	wantError(t, err, "InvalidOperationException", "STANDARD")
	if len(w.checked) != 0 {
		t.Errorf("sent to %v", w.checked)
	}
}
