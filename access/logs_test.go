package access_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Policies of a log group, and of its account, count in every decision about the group: they let other accounts in, whose own policies
// have to allow it, too, and keep the own root user out.
func TestLogPolicies(t *testing.T) {
	const there = "444455556666"
	s := model.Scope{Account: account, Region: "us-east-1"}
	letThem := func(effect, principal, action, group string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"logs:` + action +
			`","Resource":"arn:aws:logs:us-east-1:` + account + `:log-group:` + group + `:*"}]}`
	}
	ann := &model.User{Identity: identity("ann", "AIDAANN", allow(`"logs:*"`, `"Resource":"*"`))}
	bob := &model.User{Identity: identity("bob", "AIDABOB", "")}
	ann.Account, bob.Account = there, there
	tables := tables(t, func(tx *state.Tx) {
		tx.Users.Put(ann)
		tx.Users.Put(bob)
		tx.LogGroups.Put(&model.LogGroup{Scope: s, Name: "open", ID: "1", Policy: model.LogGroupPolicy{Document: letThem("Allow", there, "FilterLogEvents", "open")}})
		tx.LogGroups.Put(&model.LogGroup{Scope: s, Name: "/app/x", ID: "2"})
		tx.LogGroups.Put(&model.LogGroup{Scope: s, Name: "frozen", ID: "3"})
		tx.LogGroups.Put(&model.LogGroup{Scope: model.Scope{Account: there, Region: "us-east-1"}, Name: "open", ID: "4"})
		tx.LogPolicies.Put(&model.LogPolicy{Scope: s, Name: "app", Document: letThem("Allow", there, "FilterLogEvents", "/app/*")})
		tx.LogPolicies.Put(&model.LogPolicy{Scope: s, Name: "frozen", Document: letThem("Deny", "*", "PutLogEvents", "frozen")})
	})
	filter := func(group string) any {
		return &cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:" + account + ":log-group:" + group)}
	}
	put := func(group string) any {
		return &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: aws.String("s")}
	}
	root := func(account, kind string) auth.Principal {
		return auth.NewPrincipal(model.AccessKey{ID: "AKROOT", Account: account, Kind: kind}, "us-east-1", "logs")
	}
	for _, c := range []struct {
		name, op string
		who      auth.Principal
		in       any
		ok       bool
	}{
		{"both sides allow", "FilterLogEvents", userKey(ann), filter("open"), true},
		{"a policy of the account, which is one of two", "FilterLogEvents", userKey(ann), filter("/app/x"), true},
		{"no policy there", "FilterLogEvents", userKey(ann), filter("frozen"), false},
		{"another action", "GetLogEvents", userKey(ann), &cloudwatchlogs.GetLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:" + account + ":log-group:open"), LogStreamName: aws.String("s")}, false},
		{"no policy here", "FilterLogEvents", userKey(bob), filter("open"), false},
		{"a group of the own account that is called so", "FilterLogEvents", userKey(bob), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("open")}, false},
		{"root over there", "FilterLogEvents", root(there, model.KeyRoot), filter("open"), true},
		{"root over there, no policy", "FilterLogEvents", root(there, model.KeyRoot), filter("frozen"), false},
		{"root here", "FilterLogEvents", root(account, model.KeyRoot), filter("open"), true},
		{"root here, denied", "PutLogEvents", root(account, model.KeyRoot), put("frozen"), false},
		{"one of two groups", "StartLiveTail", userKey(ann), &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{
			"arn:aws:logs:us-east-1:" + there + ":log-group:open", "arn:aws:logs:us-east-1:" + account + ":log-group:open"}}, false},
	} {
		err := new(access.Access).Authorize(tables, &access.Call{Principal: c.who, Service: "logs", Operation: c.op, Input: c.in, Now: now})
		if (err == nil) != c.ok || err != nil && model.ErrorCode(err) != "AccessDeniedException" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Tags that CloudWatch Logs takes as a map, and those that it takes away by a list of keys, are known to conditions.
func TestLogTags(t *testing.T) {
	user := &model.User{Identity: identity("ann", "AIDAANN", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"logs:CreateLogGroup","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"blue"}}},
		{"Effect":"Allow","Action":"logs:TagResource","Resource":"*"},
		{"Effect":"Allow","Action":"logs:UntagLogGroup","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}]}`)}
	tables := tables(t, func(tx *state.Tx) { tx.Users.Put(user) })
	name := aws.String("g")
	for _, c := range []struct {
		op string
		in any
		ok bool
	}{
		{"CreateLogGroup", &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name, Tags: map[string]string{"a": "b", "team": "blue"}}, true},
		{"CreateLogGroup", &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name, Tags: map[string]string{"team": "red"}}, false},
		{"UntagLogGroup", &cloudwatchlogs.UntagLogGroupInput{LogGroupName: name, Tags: []string{"team"}}, true},
		{"UntagLogGroup", &cloudwatchlogs.UntagLogGroupInput{LogGroupName: name, Tags: []string{"team", "owner"}}, false},
	} {
		err := new(access.Access).Authorize(tables, &access.Call{Principal: userKey(user), Service: "logs", Operation: c.op, Input: c.in, Now: now})
		if (err == nil) != c.ok {
			t.Errorf("%s %+v: %v", c.op, c.in, err)
		}
	}
}
