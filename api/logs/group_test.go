package logs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/model"
)

func TestGroups(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		w.create(t, fmt.Sprintf("/ecs/%02d", i))
	}
	w.create(t, "other", "s")
	var names []string
	p := sdk.NewDescribeLogGroupsPaginator(w.Client, &sdk.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ecs/")})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		must(t, err)
		for _, g := range out.LogGroups {
			names = append(names, *g.LogGroupName)
		}
	}
	if len(names) != 60 || names[59] != "/ecs/59" {
		t.Errorf("listed %v", names)
	}
	out, err := w.DescribeLogGroups(t.Context(), &sdk.DescribeLogGroupsInput{LogGroupNamePattern: aws.String("OTHER")})
	must(t, err)
	if g := out.LogGroups; len(g) != 1 || *g[0].Arn != "arn:aws:logs:us-east-1:000000000000:log-group:other:*" || g[0].RetentionInDays != nil ||
		*g[0].LogGroupArn != "arn:aws:logs:us-east-1:000000000000:log-group:other" || g[0].LogGroupClass != types.LogGroupClassStandard {
		t.Errorf("got %+v", g)
	}
	_, err = w.CreateLogGroup(t.Context(), &sdk.CreateLogGroupInput{LogGroupName: aws.String("other")})
	wantError(t, err, "ResourceAlreadyExistsException", "The specified log group already exists")
	// Another account has groups of its own. (What it may do with those that it names by ARN is decided before: package access.)
	_, err = w.other.DescribeLogStreams(t.Context(), &sdk.DescribeLogStreamsInput{LogGroupName: aws.String("other")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = w.DescribeLogStreams(t.Context(), &sdk.DescribeLogStreamsInput{LogGroupIdentifier: aws.String("arn:aws:logs:eu-west-1:000000000000:log-group:other")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = w.other.PutLogGroupDeletionProtection(t.Context(), &sdk.PutLogGroupDeletionProtectionInput{
		LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:000000000000:log-group:other"), DeletionProtectionEnabled: aws.Bool(true)})
	wantError(t, err, "AccessDeniedException", "because no resource-based policy allows the logs:PutLogGroupDeletionProtection action")
	// A group that is made again is empty.
	w.put(t, "other", "s", "0 a")
	_, err = w.DeleteLogGroup(t.Context(), &sdk.DeleteLogGroupInput{LogGroupName: aws.String("other")})
	must(t, err)
	_, err = w.tryPut(t.Context(), "other", "s", "0 a")
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	w.create(t, "other")
	_, err = w.tryPut(t.Context(), "other", "s", "0 a")
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
}

func TestStreams(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "b", "a", "c")
	w.put(t, "g", "c", "1 x", "5 y")
	w.put(t, "g", "a", "3 x")
	list := func(in *sdk.DescribeLogStreamsInput) string {
		t.Helper()
		in.LogGroupName = aws.String("g")
		var names []string
		for p := sdk.NewDescribeLogStreamsPaginator(w.Client, in); p.HasMorePages(); {
			out, err := p.NextPage(t.Context())
			must(t, err)
			for _, s := range out.LogStreams {
				names = append(names, *s.LogStreamName)
			}
		}
		return strings.Join(names, " ")
	}
	if got := list(&sdk.DescribeLogStreamsInput{Limit: aws.Int32(1)}); got != "a b c" {
		t.Errorf("by name: %s", got)
	}
	if got := list(&sdk.DescribeLogStreamsInput{OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true), Limit: aws.Int32(2)}); got != "c a b" {
		t.Errorf("by time: %s", got)
	}
	_, err := w.DescribeLogStreams(t.Context(), &sdk.DescribeLogStreamsInput{
		LogGroupName: aws.String("g"), OrderBy: types.OrderByLastEventTime, LogStreamNamePrefix: aws.String("a"),
	})
	wantError(t, err, "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
	out, err := w.DescribeLogStreams(t.Context(), &sdk.DescribeLogStreamsInput{LogGroupName: aws.String("g"), LogStreamNamePrefix: aws.String("c")})
	must(t, err)
	if s := out.LogStreams[0]; *s.FirstEventTimestamp != begin.UnixMilli()+1000 || *s.LastEventTimestamp != begin.UnixMilli()+5000 ||
		*s.LastIngestionTime != begin.UnixMilli() || *s.Arn != "arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:c" {
		t.Errorf("got %+v", s)
	}
	_, err = w.CreateLogStream(t.Context(), &sdk.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("a")})
	wantError(t, err, "ResourceAlreadyExistsException", "The specified log stream already exists")
	_, err = w.CreateLogStream(t.Context(), &sdk.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("a:b")})
	wantError(t, err, "InvalidParameterException", "[^:*]*")
	_, err = w.DeleteLogStream(t.Context(), &sdk.DeleteLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("c")})
	must(t, err)
	if got := list(&sdk.DescribeLogStreamsInput{}); got != "a b" {
		t.Errorf("after one was deleted: %s", got)
	}
}

// Both families of tag operations speak of the same tags [D].
func TestTags(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g")
	arn := aws.String("arn:aws:logs:us-east-1:000000000000:log-group:g")
	_, err := w.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "1", "b": "2"}})
	must(t, err)
	_, err = w.TagLogGroup(t.Context(), &sdk.TagLogGroupInput{LogGroupName: aws.String("g"), Tags: map[string]string{"c": "3"}})
	must(t, err)
	_, err = w.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceArn: aws.String(*arn + ":*"), TagKeys: []string{"a"}})
	must(t, err)
	out, err := w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: arn})
	must(t, err)
	if len(out.Tags) != 2 || out.Tags["b"] != "2" || out.Tags["c"] != "3" {
		t.Errorf("got %v", out.Tags)
	}
	_, err = w.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"aws:x": "1"}})
	wantError(t, err, "InvalidParameterException", "aws:")
}

// Retention is among those that AWS takes, and what is past it is not shown, though its file is still there [D].
func TestRetention(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	_, err := w.PutRetentionPolicy(t.Context(), &sdk.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(2)})
	wantError(t, err, "InvalidParameterException", "Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5,")
	_, err = w.PutRetentionPolicy(t.Context(), &sdk.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(1)})
	must(t, err)
	w.put(t, "g", "s", "0 old", "60 young")
	w.Advance(24*time.Hour + 30*time.Second)
	read := func() string {
		out, err := w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
		must(t, err)
		return messages(out.Events)
	}
	if got := read(); got != "young" {
		t.Errorf("got %q", got)
	}
	_, err = w.DeleteRetentionPolicy(t.Context(), &sdk.DeleteRetentionPolicyInput{LogGroupName: aws.String("g")})
	must(t, err)
	if got := read(); got != "old young" {
		t.Errorf("without retention: %q", got)
	}
}

const anybody = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"logs:GetLogEvents","Resource":"*"}]}`

func TestResourcePolicies(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		_, err := w.PutResourcePolicy(t.Context(), &sdk.PutResourcePolicyInput{PolicyName: aws.String(fmt.Sprint("p", i)), PolicyDocument: aws.String(anybody)})
		must(t, err)
	}
	_, err := w.PutResourcePolicy(t.Context(), &sdk.PutResourcePolicyInput{PolicyName: aws.String("more"), PolicyDocument: aws.String(anybody)})
	wantError(t, err, "LimitExceededException", "Resource limit exceeded.")
	_, err = w.PutResourcePolicy(t.Context(), &sdk.PutResourcePolicyInput{PolicyName: aws.String("p0"), PolicyDocument: aws.String("{}")})
	wantError(t, err, "InvalidParameterException", "Policy document is not valid")
	_, err = w.DeleteResourcePolicy(t.Context(), &sdk.DeleteResourcePolicyInput{PolicyName: aws.String("p3")})
	must(t, err)
	out, err := w.DescribeResourcePolicies(t.Context(), &sdk.DescribeResourcePoliciesInput{})
	must(t, err)
	if len(out.ResourcePolicies) != 9 || *out.ResourcePolicies[3].PolicyName != "p4" || out.ResourcePolicies[0].PolicyScope != types.PolicyScopeAccount {
		t.Errorf("got %v", out.ResourcePolicies)
	}
	_, err = w.DeleteResourcePolicy(t.Context(), &sdk.DeleteResourcePolicyInput{PolicyName: aws.String("p3")})
	wantError(t, err, "ResourceNotFoundException", "Policy with name [p3] does not exist.")
}

// A group has one policy; who changes it names the one that he has seen [D].
func TestPolicyOfAGroup(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g")
	w.create(t, "h")
	arn := aws.String("arn:aws:logs:us-east-1:000000000000:log-group:g")
	put := func(expected *string) (*sdk.PutResourcePolicyOutput, error) {
		return w.PutResourcePolicy(t.Context(), &sdk.PutResourcePolicyInput{ResourceArn: arn, PolicyDocument: aws.String(anybody), ExpectedRevisionId: expected})
	}
	first, err := put(nil)
	must(t, err)
	_, err = put(nil)
	wantError(t, err, "OperationAbortedException", "revision")
	second, err := put(first.RevisionId)
	must(t, err)
	if *second.RevisionId == *first.RevisionId || *second.ResourcePolicy.ResourceArn != *arn {
		t.Errorf("got %+v", second.ResourcePolicy)
	}
	for _, in := range []*sdk.DescribeResourcePoliciesInput{{ResourceArn: arn}, {PolicyScope: types.PolicyScopeResource}} {
		out, err := w.DescribeResourcePolicies(t.Context(), in)
		must(t, err)
		if p := out.ResourcePolicies; len(p) != 1 || *p[0].RevisionId != *second.RevisionId || *p[0].PolicyDocument != anybody || p[0].PolicyScope != types.PolicyScopeResource {
			t.Errorf("got %+v", p)
		}
	}
	_, err = w.DeleteResourcePolicy(t.Context(), &sdk.DeleteResourcePolicyInput{ResourceArn: arn, ExpectedRevisionId: first.RevisionId})
	wantError(t, err, "OperationAbortedException", "revision")
	_, err = w.DeleteResourcePolicy(t.Context(), &sdk.DeleteResourcePolicyInput{ResourceArn: arn, ExpectedRevisionId: second.RevisionId})
	must(t, err)
	_, err = w.DeleteResourcePolicy(t.Context(), &sdk.DeleteResourcePolicyInput{ResourceArn: arn})
	wantError(t, err, "ResourceNotFoundException", "no resource policy")
}

// A page goes on where the one before ended, also if the stream there was deleted, or another has got events meanwhile.
func TestPagesOfStreamsThatChange(t *testing.T) {
	for _, c := range []struct {
		order      types.OrderBy
		descending bool
		want       string // of the second page
	}{
		{types.OrderByLogStreamName, false, "c d"}, {types.OrderByLogStreamName, true, "b a"},
		{types.OrderByLastEventTime, false, "c d"}, {types.OrderByLastEventTime, true, "b a"},
	} {
		w := newWorld(t)
		w.create(t, "g", "a", "b", "c", "d")
		for i, s := range []string{"a", "b", "c", "d"} {
			w.put(t, "g", s, fmt.Sprint(i, " x"))
		}
		in := &sdk.DescribeLogStreamsInput{LogGroupName: aws.String("g"), OrderBy: c.order, Descending: &c.descending, Limit: aws.Int32(2)}
		page, err := w.DescribeLogStreams(t.Context(), in)
		must(t, err)
		_, err = w.DeleteLogStream(t.Context(), &sdk.DeleteLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: page.LogStreams[1].LogStreamName})
		must(t, err)
		in.NextToken = page.NextToken
		page, err = w.DescribeLogStreams(t.Context(), in)
		must(t, err)
		var names []string
		for _, s := range page.LogStreams {
			names = append(names, *s.LogStreamName)
		}
		if got := strings.Join(names, " "); got != c.want || page.NextToken != nil {
			t.Errorf("by %s, descending %t: got %s", c.order, c.descending, got)
		}
	}
}

// What is said of groups' bytes waits for what earlier leaders acknowledged, but not for a group whose key is disabled; what is in rows
// waits for nothing.
func TestGroupsWaitForTheirEvents(t *testing.T) {
	w := stillWorld(t)
	asked, ready := []string{}, false
	w.api.Ready = func(_ context.Context, group string) error {
		if asked = append(asked, group); group == "" && ready {
			return nil
		}
		return model.Errorf("ServiceUnavailableException", "wait for %s", group)
	}
	describe := func() (*sdk.DescribeLogGroupsOutput, error) {
		return w.DescribeLogGroups(t.Context(), &sdk.DescribeLogGroupsInput{}, func(o *sdk.Options) { o.RetryMaxAttempts = 1 })
	}
	_, err := describe()
	must(t, err)
	w.create(t, "g")
	if len(asked) != 0 {
		t.Errorf("asked for %q", asked)
	}
	_, err = describe()
	wantError(t, err, "ServiceUnavailableException", "")
	ready = true
	out, err := describe()
	if must(t, err); len(out.LogGroups) != 1 || *out.LogGroups[0].StoredBytes != 0 {
		t.Errorf("got %+v", out.LogGroups)
	}
	_, err = w.ListLogGroups(t.Context(), &sdk.ListLogGroupsInput{})
	if must(t, err); len(asked) != 2 {
		t.Errorf("asked for %q", asked)
	}
}
