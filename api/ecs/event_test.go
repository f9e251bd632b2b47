package ecs_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// detail are the members of events' details that the tests look at.
type detail struct {
	TaskArn, LastStatus, DesiredStatus, CreatedAt, UpdatedAt, ContainerInstanceArn, Status string

	Version        int64
	AgentConnected bool
	Attachments    []struct{ Type string }
}

// happened returns the events of home in everything that do changes.
func (s *server) happened(account string, do func()) (events []ecs.Event, details []detail) {
	s.Helper()
	_, cursor := s.db.Watch()
	do()
	last := s.db.Snapshot().Revision
	for {
		rev, err := cursor.Next(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		more, err := ecs.EventsOf(model.Scope{Account: account, Region: region}, rev, time.UnixMilli(s.clock.Load()))
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range more {
			var d detail
			if err := json.Unmarshal(e.Detail, &d); err != nil {
				s.Fatalf("%s: %v", e.Detail, err)
			}
			events, details = append(events, e), append(details, d)
		}
		if rev.Snapshot.Revision >= last {
			return events, details
		}
	}
}

// [D] §14.2: a task's event has the task in its detail, with times as texts; [D] trap 26: attachments are called eni there.
func TestTaskEvents(t *testing.T) {
	s := newServer(t)
	s.cluster("c")
	s.instance("c", "a")
	s.rawOK("RegisterTaskDefinition", `{"family":"web","networkMode":"awsvpc","containerDefinitions":[{"name":"app","image":"i","memory":64}]}`)
	var task string
	events, details := s.happened(home, func() {
		out := must(s.RunTask(s.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("web"), NetworkConfiguration: inSubnets("subnet-a")}))(t)
		task = *out.Tasks[0].TaskArn
		must(s.StopTask(s.Context(), &sdk.StopTaskInput{Cluster: aws.String("c"), Task: &task}))(t)
	})
	if len(events) != 2 {
		t.Fatalf("got %d events: %+v", len(events), events)
	}
	for i, e := range events {
		d := details[i]
		if e.Version != "0" || e.Source != "aws.ecs" || e.DetailType != "ECS Task State Change" || e.Account != home || e.Region != region ||
			e.Time != "2023-11-14T22:13:20.000Z" || len(e.Resources) != 1 || e.Resources[0] != task {
			t.Errorf("event %d: %+v", i, e)
		}
		if d.TaskArn != task || d.CreatedAt != "2023-11-14T22:13:20Z" || d.UpdatedAt != e.Time || d.Version != int64(i+1) || d.Attachments[0].Type != "eni" {
			t.Errorf("detail %d: %+v", i, d)
		}
	}
	if details[0].DesiredStatus != "RUNNING" || details[1].DesiredStatus != "STOPPED" || events[0].ID == events[1].ID {
		t.Errorf("details %+v", details)
	}
	if shown := must(s.DescribeTasks(s.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{task}}))(t).Tasks[0]; *shown.Attachments[0].Type != "ElasticNetworkInterface" {
		t.Errorf("an event changed how the API calls the attachment: %s", *shown.Attachments[0].Type)
	}
}

// [I]: an account hears nothing of another's, and a change that nobody can see is none.
func TestEventsAreTheAccounts(t *testing.T) {
	s := newServer(t)
	s.cluster("c")
	if events, _ := s.happened(abroad, func() { s.instance("c", "a") }); len(events) != 0 {
		t.Errorf("another account hears %+v", events)
	}
	events, details := s.happened(home, func() { s.instance("c", "a") })
	if len(events) != 2 || events[0].DetailType != "ECS Container Instance State Change" || details[0].AgentConnected || !details[1].AgentConnected || details[1].Status != "ACTIVE" {
		t.Errorf("events %+v", events)
	}
	if events[0].ID == events[1].ID {
		t.Error("two events of one id")
	}
	if events, _ := s.happened(home, func() {
		_ = s.db.Update(t.Context(), func(tx *state.Tx) error {
			for i := range tx.Instances.All() {
				same := *i
				tx.Instances.Put(&same)
			}
			return nil
		})
	}); len(events) != 0 {
		t.Errorf("a row written again is told as %+v", events)
	}
}

// [D] §14.2: what services store is told with its own time, and read back from any moment on.
func TestStoredEvents(t *testing.T) {
	s := newServer(t)
	put := func(account string, at model.Millis, id string) {
		_ = s.db.Update(t.Context(), func(tx *state.Tx) error {
			tx.Events.Put(&model.Event{Scope: model.Scope{Account: account, Region: region}, ID: id, At: at, DetailType: "ECS Service Action",
				Resources: []string{"arn:aws:ecs:us-east-1:" + account + ":service/c/web"}, Detail: `{"eventName":"SERVICE_STEADY_STATE"}`})
			return nil
		})
	}
	events, _ := s.happened(home, func() {
		put(home, 1_000, "a")
		put(home, 30_000, "b")
		put(abroad, 40_000, "c")
	})
	if len(events) != 2 || events[0].Time != "1970-01-01T00:00:01.000Z" || events[1].ID != "b" {
		t.Errorf("told %+v", events)
	}
	if got := ecs.StoredEvents(s.db.Snapshot().Tables, scope, 2_000); len(got) != 1 || got[0].ID != "b" || string(got[0].Detail) != `{"eventName":"SERVICE_STEADY_STATE"}` {
		t.Errorf("read %+v", got)
	}
}
