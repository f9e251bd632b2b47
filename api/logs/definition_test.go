package logs_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Definitions are kept by id, listed by name, and made once for a token [D].
func TestQueryDefinitions(t *testing.T) {
	w := newWorld(t)
	put := func(name, token string, id *string) string {
		t.Helper()
		out, err := w.PutQueryDefinition(t.Context(), &sdk.PutQueryDefinitionInput{
			Name: &name, ClientToken: &token, QueryDefinitionId: id, QueryString: aws.String("fields @message | limit 1"), LogGroupNames: []string{"/a", "/b"}})
		must(t, err)
		return *out.QueryDefinitionId
	}
	list := func(in *sdk.DescribeQueryDefinitionsInput) (names []string) {
		t.Helper()
		for {
			out, err := w.DescribeQueryDefinitions(t.Context(), in)
			must(t, err)
			for _, q := range out.QueryDefinitions {
				if len(q.LogGroupNames) != 2 || *q.QueryString != "fields @message | limit 1" || *q.LastModified != begin.UnixMilli() {
					t.Errorf("got %+v", q)
				}
				names = append(names, *q.Name)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return names
			}
		}
	}
	b, a := put("b", "1", nil), put("a", "2", nil)
	if again := put("b", "1", nil); again != b || a == b {
		t.Errorf("ids %s %s %s", a, b, again)
	}
	if got := list(&sdk.DescribeQueryDefinitionsInput{MaxResults: aws.Int32(1)}); len(got) != 2 || got[0] != "a" {
		t.Errorf("listed %q", got)
	}
	if put("other", "3", &a) != a {
		t.Error("a change has another id")
	}
	if got := list(&sdk.DescribeQueryDefinitionsInput{QueryDefinitionNamePrefix: aws.String("o")}); len(got) != 1 || got[0] != "other" {
		t.Errorf("listed %q", got)
	}
	_, err := w.PutQueryDefinition(t.Context(), &sdk.PutQueryDefinitionInput{Name: aws.String("x"), QueryString: aws.String("felds"), QueryDefinitionId: &a})
	wantError(t, err, "InvalidParameterException", "query string")
	_, err = w.PutQueryDefinition(t.Context(), &sdk.PutQueryDefinitionInput{Name: aws.String("x"), QueryString: aws.String("limit 1"), QueryDefinitionId: aws.String("none")})
	wantError(t, err, "ResourceNotFoundException", "The specified query definition does not exist.")
	_, err = w.other.DeleteQueryDefinition(t.Context(), &sdk.DeleteQueryDefinitionInput{QueryDefinitionId: &a})
	wantError(t, err, "ResourceNotFoundException", "The specified query definition does not exist.")
	out, err := w.DeleteQueryDefinition(t.Context(), &sdk.DeleteQueryDefinitionInput{QueryDefinitionId: &a})
	must(t, err)
	if got := list(&sdk.DescribeQueryDefinitionsInput{}); !out.Success || len(got) != 1 || got[0] != "b" {
		t.Errorf("after one was deleted: %q", got)
	}
}

func TestGroupsOfAQuery(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g")
	w.create(t, "h")
	q, err := w.StartQuery(t.Context(), &sdk.StartQueryInput{LogGroupNames: []string{"h", "g"}, StartTime: aws.Int64(1), EndTime: aws.Int64(2), QueryString: aws.String("limit 1")})
	must(t, err)
	out, err := w.ListLogGroupsForQuery(t.Context(), &sdk.ListLogGroupsForQueryInput{QueryId: q.QueryId})
	must(t, err)
	if ids := out.LogGroupIdentifiers; len(ids) != 2 || ids[0] != "h" || ids[1] != "g" {
		t.Errorf("got %v", ids)
	}
	_, err = w.other.ListLogGroupsForQuery(t.Context(), &sdk.ListLogGroupsForQueryInput{QueryId: q.QueryId})
	wantError(t, err, "ResourceNotFoundException", "does not exist")
}
