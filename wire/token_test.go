package wire_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// [I] SEMANTICS 1.2: a token works with the operation and filters it was made for, and with no others.
func TestPageToken(t *testing.T) {
	filters := &ecs.ListTasksInput{Cluster: aws.String("a"), Family: aws.String("f")}
	token := wire.PageToken("ListTasks", filters, "last/é")
	tests := []struct {
		name, op string
		filters  any
		token    string
		ok       bool
	}{
		{"same", "ListTasks", filters, token, true},
		{"equal", "ListTasks", ecs.ListTasksInput{Cluster: aws.String("a"), Family: aws.String("f")}, token, true},
		{"other page size and the token itself", "ListTasks", &ecs.ListTasksInput{Cluster: aws.String("a"), Family: aws.String("f"),
			MaxResults: aws.Int32(7), NextToken: &token}, token, true},
		{"other filter", "ListTasks", &ecs.ListTasksInput{Cluster: aws.String("b"), Family: aws.String("f")}, token, false},
		{"filter dropped", "ListTasks", &ecs.ListTasksInput{Cluster: aws.String("a")}, token, false},
		{"other operation", "ListServices", filters, token, false},
		{"no filters", "ListTasks", nil, token, false},
		{"empty", "ListTasks", filters, "", false},
		{"not ours", "ListTasks", filters, "AAAA", false},
		{"damaged", "ListTasks", filters, "A" + token[1:], false},
		{"cut", "ListTasks", filters, token[:len(token)-2], false},
		{"extended", "ListTasks", filters, token + "AAAA", false},
		{"other alphabet", "ListTasks", filters, token + "==", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			last, err := wire.ParsePageToken(tt.op, tt.filters, tt.token)
			if tt.ok && (err != nil || last != "last/é") {
				t.Errorf("got %q, %v", last, err)
			}
			if !tt.ok && (model.ErrorCode(err) != "InvalidParameterException" || err.Error() != "InvalidParameterException: Invalid token.") {
				t.Errorf("got %q, %v, want Invalid token.", last, err)
			}
		})
	}
}

func TestPageTokenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op, last := rapid.String().Draw(t, "op"), rapid.String().Draw(t, "last")
		filters := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "filters")
		got, err := wire.ParsePageToken(op, filters, wire.PageToken(op, filters, last))
		if err != nil || got != last {
			t.Fatalf("got %q, %v, want %q", got, err, last)
		}
	})
}
