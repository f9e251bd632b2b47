package logs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// maxDefinitions is how many query definitions an account may have [D].
const maxDefinitions = 1000

// putQueryDefinition makes a definition, or changes the one with the id. One that is sent twice with the same clientToken is made once: its
// id comes from the token.
func (a *API) putQueryDefinition(ctx context.Context, in *cloudwatchlogs.PutQueryDefinitionInput) (*cloudwatchlogs.PutQueryDefinitionOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkDefinition(in); err != nil {
		return nil, err
	}
	row := &model.LogQuery{Scope: s, ID: value(in.QueryDefinitionId), Name: *in.Name, Text: *in.QueryString, Groups: in.LogGroupNames, UpdatedAt: a.now()}
	switch {
	case row.ID != "":
	case in.ClientToken != nil:
		sum := sha256.Sum256([]byte(s.Key("query definition", *in.ClientToken)))
		row.ID = uuidOf(hex.EncodeToString(sum[:16]))
	default:
		row.ID = uuidOf(a.NewID())
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		_, there := tx.LogQueries.Get(row.Key())
		if in.QueryDefinitionId != nil && !there {
			return errNoDefinition()
		}
		n := 0
		for range tx.LogQueries.Prefix(s.Key("")) {
			n++
		}
		if !there && n >= maxDefinitions {
			return model.Errorf("LimitExceededException", "Resource limit exceeded.") // [O]
		}
		tx.LogQueries.Put(row)
		return nil
	})
	return &cloudwatchlogs.PutQueryDefinitionOutput{QueryDefinitionId: aws.String(row.ID)}, err
}

func errNoDefinition() error {
	return model.Errorf("ResourceNotFoundException", "The specified query definition does not exist.") // [I]
}

func checkDefinition(in *cloudwatchlogs.PutQueryDefinitionInput) error {
	switch name := *in.Name; {
	case in.QueryLanguage != "" && in.QueryLanguage != types.QueryLanguageCwli || len(in.Parameters) > 0:
		return model.Errorf("UnsupportedFeatureException", "Roadstead serves query definitions in the language CWLI and without parameters only.")
	case name == "":
		return violation(name, "name", "Member must have length greater than or equal to 1")
	case len(name) > 255:
		return violation(name, "name", "Member must have length less than or equal to 255")
	case len(in.LogGroupNames) > 50: // [D]
		return violation(in.LogGroupNames, "logGroupNames", "Member must have length less than or equal to 50")
	}
	if err := checkQueryString(*in.QueryString, 1); err != nil {
		return err
	}
	for _, g := range in.LogGroupNames {
		if err := checkGroupName(g); err != nil {
			return err
		}
	}
	if _, err := logquery.ParseQuery(*in.QueryString); err != nil {
		return invalid("The query string is not valid: %s", err) // [I]
	}
	return nil
}

func (a *API) describeQueryDefinitions(ctx context.Context, in *cloudwatchlogs.DescribeQueryDefinitionsInput) (
	*cloudwatchlogs.DescribeQueryDefinitionsOutput, error,
) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	size, err := limit(in.MaxResults, "maxResults", 1000, 1000)
	if err != nil {
		return nil, err
	}
	var rows []*model.LogQuery
	for q := range a.DB.Snapshot().LogQueries.Prefix(s.Key("")) {
		if strings.HasPrefix(q.Name, value(in.QueryDefinitionNamePrefix)) && (in.QueryLanguage == "" || in.QueryLanguage == types.QueryLanguageCwli) {
			rows = append(rows, q)
		}
	}
	slices.SortFunc(rows, func(a, b *model.LogQuery) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	out := &cloudwatchlogs.DescribeQueryDefinitionsOutput{QueryDefinitions: []types.QueryDefinition{}}
	rows, out.NextToken, err = pageOf("DescribeQueryDefinitions", []string{s.Account, s.Region, value(in.QueryDefinitionNamePrefix), string(in.QueryLanguage)},
		rows, func(q *model.LogQuery) string { return q.Name + "\x00" + q.ID }, size, in.NextToken)
	for _, q := range rows {
		out.QueryDefinitions = append(out.QueryDefinitions, types.QueryDefinition{
			LastModified: aws.Int64(q.UpdatedAt), LogGroupNames: slices.Clone(q.Groups), Name: aws.String(q.Name),
			QueryDefinitionId: aws.String(q.ID), QueryLanguage: types.QueryLanguageCwli, QueryString: aws.String(q.Text),
		})
	}
	return out, err
}

func (a *API) deleteQueryDefinition(ctx context.Context, in *cloudwatchlogs.DeleteQueryDefinitionInput) (*cloudwatchlogs.DeleteQueryDefinitionOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteQueryDefinitionOutput{Success: true}, a.DB.Update(ctx, func(tx *state.Tx) error {
		key := s.Key(*in.QueryDefinitionId)
		if _, ok := tx.LogQueries.Get(key); !ok {
			return errNoDefinition()
		}
		tx.LogQueries.Delete(key)
		return nil
	})
}

// listLogGroupsForQuery names the groups that a query was about.
func (a *API) listLogGroupsForQuery(ctx context.Context, in *cloudwatchlogs.ListLogGroupsForQueryInput) (*cloudwatchlogs.ListLogGroupsForQueryOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	size, err := limit(in.MaxResults, "maxResults", 50, 500)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	q := a.queryOf(s, *in.QueryId)
	a.mu.Unlock()
	if q == nil {
		return nil, errNoQuery(*in.QueryId)
	}
	var ids []string
	for _, r := range q.groups { // which no query changes
		if r.Scope == s {
			ids = append(ids, r.Name)
		} else {
			ids = append(ids, r.ARN())
		}
	}
	all := slices.Clone(ids)
	out := &cloudwatchlogs.ListLogGroupsForQueryOutput{LogGroupIdentifiers: []string{}}
	ids, out.NextToken, err = pageOf("ListLogGroupsForQuery", []string{q.id}, ids,
		func(id string) string { return fmt.Sprintf("%04d", slices.Index(all, id)) }, size, in.NextToken) // as the query names them
	out.LogGroupIdentifiers = append(out.LogGroupIdentifiers, ids...)
	return out, err
}
